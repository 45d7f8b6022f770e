/**
 * The slow analog inputs AI0 … AI3 and the chip's own sensors. The converter (XADC) is none of the FPGA's registers:
 * Linux reads it, and shows it by its interface for industrial I/O (IIO) in files. Sources: Linux'
 * Documentation/ABI/testing/sysfs-bus-iio; PyRPL fpga/README.md (which input is which channel, and its divider). Which
 * channels an image of the operating system has is not known for all: those that are there are read.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const DEVICES = 'sys/bus/iio/devices';
const CONVERTER = /xadc/i;
/** `in_voltage11_raw`, or with the kernel's name of what is measured: `in_voltage3_vccpint_raw`. */
const RAW = /^in_(voltage|temp)(\d+)(?:_(\w+))?_raw$/;

/** What is connected to channels that have no name, and the part of it that the converter gets. */
const WIRED: Readonly<Record<string, { readonly label: string; readonly divider: number }>> = {
  voltage11: { label: 'AI0', divider: 0.143 },
  voltage9: { label: 'AI1', divider: 0.143 },
  voltage10: { label: 'AI2', divider: 0.143 },
  voltage12: { label: 'AI3', divider: 0.143 },
  voltage0: { label: '5 V supply', divider: 0.0818 },
};

/** V and °C, from the mV and m°C of the interface. */
const MILLI = 1e-3;

export interface SlowInput {
  readonly kind: 'voltage' | 'temp';
  readonly label: string;
  /** In V or °C. */
  readonly value: number;
}

/**
 * All that the converter measures, in the order of its labels; empty where there is none.
 * @param root Where the file system of the board starts; for tests.
 */
export async function readSlowInputs(root: string = '/'): Promise<SlowInput[]> {
  const folder = join(root, DEVICES);
  const devices = await readdir(folder).catch(() => []);
  const found = await Promise.all(devices.map((device) => readDevice(join(folder, device))));
  return found.flat().sort((a, b) => a.label.localeCompare(b.label, 'en'));
}

async function readDevice(folder: string): Promise<SlowInput[]> {
  const name = await readFile(join(folder, 'name'), 'utf8').catch(() => '');
  if (!CONVERTER.test(name)) return [];
  const inputs: SlowInput[] = [];
  for (const file of await readdir(folder).catch(() => [])) {
    const [, kind, index, named] = RAW.exec(file) ?? [];
    if (kind !== 'voltage' && kind !== 'temp') continue;
    const wired = named === undefined ? WIRED[`${kind}${index}`] : undefined;
    const label = wired?.label ?? named ?? (kind === 'temp' ? 'chip' : undefined);
    // What nobody says anything of may be connected to nothing.
    if (label === undefined) continue;
    const stems = [file.replace(/_raw$/, ''), `in_${kind}${index}`, `in_${kind}`];
    const raw = await number(join(folder, file));
    const scale = await first(folder, stems, 'scale');
    const offset = (await first(folder, stems, 'offset')) ?? 0;
    if (raw === undefined || scale === undefined) continue;
    inputs.push({ kind, label, value: ((raw + offset) * scale * MILLI) / (wired?.divider ?? 1) });
  }
  return inputs;
}

/** A scale or an offset is one of the channel, or of all channels of its kind. */
async function first(folder: string, stems: readonly string[], what: string): Promise<number | undefined> {
  for (const stem of stems) {
    const found = await number(join(folder, `${stem}_${what}`));
    if (found !== undefined) return found;
  }
  return undefined;
}

async function number(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const value = Number(text);
  return text.trim() !== '' && Number.isFinite(value) ? value : undefined;
}
