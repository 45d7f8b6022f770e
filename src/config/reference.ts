/** The reference of all settings, made from their declarations. */
import { mayBeOnCard, type Setting, settings } from './settings.ts';

/** One row a setting: its name in the files, what it takes, its default, what it does. */
export function settingsAsMarkdown(): string {
  const rows = Object.entries<Setting<unknown>>(settings).map(([key, setting]) => {
    const name = `\`${key}\`${mayBeOnCard(setting) ? '' : ' ¹'}`;
    const cells = [name, setting.kind.allowed, shown(setting.default), sentence(setting.help)];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '| setting | values | default | what it does |',
    '|---|---|---|---|',
    ...rows,
    '',
    '¹ in root’s file and on the command line only, not in `pitayad.yaml` on the card.',
  ].join('\n');
}

function shown(fallback: unknown): string {
  // The help has a word for it.
  if (fallback === undefined || isModel(fallback)) return '-';
  if (Array.isArray(fallback)) return fallback.length === 0 ? 'none' : fallback.join(', ');
  return `\`${fallback}\``;
}

const isModel = (fallback: unknown): boolean =>
  typeof fallback === 'object' && (!Array.isArray(fallback) || fallback.some((one) => typeof one === 'object'));

function sentence(help: string): string {
  return help.charAt(0).toUpperCase() + help.slice(1);
}
