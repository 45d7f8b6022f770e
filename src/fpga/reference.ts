/** The reference of all parameters, made from their declarations. */
import type { Field } from './fields.ts';
import type { AnyModule } from './module-table.ts';
import type { Parameter } from './parameters/parameter.ts';

/** One section a module, one row a parameter: name, unit, range, register, help. */
export function parametersAsMarkdown(modules: readonly AnyModule[]): string {
  return modules
    .map(({ name, parameters, description }) => {
      const notes = [
        description.help,
        ...(description.grabs ? ['It answers `grab`.'] : []),
        ...(description.actuator === undefined
          ? []
          : [`The move words move \`${description.actuator}\` unless told otherwise.`]),
      ];
      const rows = Object.entries(parameters).map(([key, parameter]) => row(key, parameter));
      return [
        `## ${name}: ${description.title}`,
        '',
        notes.join(' '),
        '',
        '| parameter | unit | values | register | what it is |',
        '|---|---|---|---|---|',
        ...rows,
        '',
      ].join('\n');
    })
    .join('\n');
}

function row(key: string, parameter: Parameter): string {
  const cells = [`\`${key}\``, parameter.unit || '-', values(parameter), registers(parameter.fields), help(parameter)];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function values({ kind, unit, min, max, choices, widest, readonly }: Parameter): string {
  if (readonly) return 'read only';
  if (choices) return choices.map((one) => `\`${one}\``).join(', ');
  if (kind === 'bool') return 'true, false';
  if (kind === 'text') return 'text';
  const limits = min === undefined && max === undefined ? 'any' : `${short(min)} … ${short(max)}`;
  const told = kind === 'numbers' ? `list of ${limits}` : limits;
  return widest && unit === 'V' ? `${told} (of the signal’s own range)` : told;
}

const short = (limit: number | undefined): string => (limit === undefined ? '' : String(Number(limit.toPrecision(10))));

function registers(fields: readonly Field[]): string {
  if (fields.length === 0) return '-';
  const texts = fields.map(({ address, shift, bits }) => {
    const where = `0x${address.toString(16).padStart(8, '0')}`;
    return bits === 32 ? where : `${where} [${bits === 1 ? shift : `${shift + bits - 1}:${shift}`}]`;
  });
  return [...new Set(texts)].join(', ');
}

function help({ help: text, home, off }: Parameter): string {
  const notes = [
    ...(home === undefined ? [] : [`home ${home}`]),
    ...(off === undefined ? [] : [`\`off\` sets ${String(off)}`]),
  ];
  return notes.length === 0 ? text : `${text} (${notes.join('; ')})`;
}
