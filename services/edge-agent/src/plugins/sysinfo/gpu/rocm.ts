/** AMD cards by `rocm-smi`, whose keys differ between releases. Pure but for the list of arguments. */
import type { GpuMetrics } from '@gantry/contracts';
import { parseNumber, toMebibytes } from './parse-number.js';

export const rocmArguments: readonly string[] = [
  '--showproductname',
  '--showdriverversion',
  '--showuniqueid',
  '--showuse',
  '--showmemuse',
  '--showmeminfo',
  'vram',
  '--showtemp',
  '--showpower',
  '--json',
];

type Card = Readonly<Record<string, unknown>>;

/** Warnings before and after the JSON are passed over. No JSON: no cards. */
export function parseRocm(output: string): readonly GpuMetrics[] {
  const cards = parseObject(output);
  const driver = textOf(asCard(cards['system']), /^driver version$/i);
  return Object.entries(cards)
    .filter(([key]) => /^card\d+$/.test(key))
    .map(([key, value]) => toGpu(key, asCard(value), driver))
    .sort((a, b) => a.index - b.index);
}

function toGpu(id: string, card: Card, systemDriver: string | undefined): GpuMetrics {
  const total = numberOf(card, /^vram total memory \(b\)$/i);
  const used = numberOf(card, /^vram total used memory \(b\)$/i);
  return {
    id,
    index: Number(id.slice('card'.length)),
    name: textOf(card, /^card series$/i) ?? textOf(card, /^card model$/i) ?? 'AMD GPU',
    driver_version: textOf(card, /^driver version$/i) ?? systemDriver ?? '',
    uuid: textOf(card, /^unique id$/i) ?? '',
    vendor: 'AMD',
    util_gpu: numberOf(card, /^gpu use \(%\)$/i),
    util_mem: numberOf(card, /^gpu memory (use \(%\)|allocated \(vram%\))$/i),
    mem_total: toMebibytes(total),
    mem_used: toMebibytes(used),
    mem_free: total === null || used === null ? null : toMebibytes(total - used),
    temperature_c:
      numberOf(card, /^temperature \(sensor edge\) \(c\)$/i) ??
      numberOf(card, /^temperature \(sensor junction\) \(c\)$/i),
    power_w: numberOf(card, /^(average|current socket) graphics package power \(w\)$/i),
  };
}

function parseObject(output: string): Card {
  const start = output.indexOf('{');
  const end = output.lastIndexOf('}');
  if (start === -1 || end < start) return {};
  try {
    return asCard(JSON.parse(output.slice(start, end + 1)));
  } catch {
    return {};
  }
}

const asCard = (value: unknown): Card => (typeof value === 'object' && value !== null ? (value as Card) : {});

const fieldOf = (card: Card, key: RegExp): unknown =>
  Object.entries(card).find(([name]) => key.test(name))?.[1];

const numberOf = (card: Card, key: RegExp): number | null => parseNumber(fieldOf(card, key));

function textOf(card: Card, key: RegExp): string | undefined {
  const value = fieldOf(card, key);
  return typeof value === 'string' && value !== 'N/A' ? value : undefined;
}
