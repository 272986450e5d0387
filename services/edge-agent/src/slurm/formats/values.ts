/**
 * Values as the programs of Slurm print them, whatever the version. Pure.
 *
 * JSON: 22.05 has bare numbers and words; 23.02 began to wrap numbers as `{set, infinite, number}`, first some, later
 * all; states became lists with 23.11. Text: `Key=value` pairs and columns, the same for ten years.
 */

export type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const asFields = (value: unknown): Fields => (isFields(value) ? value : {});

/** @throws {SyntaxError} when there is no list of that name: another command, or another version of it */
export function listOf(document: unknown, ...names: readonly string[]): readonly Fields[] {
  for (const name of names) {
    const list = asFields(document)[name];
    if (Array.isArray(list)) return list.filter(isFields);
  }
  throw new SyntaxError(`the answer of Slurm has no ${names.join(' or ')}`);
}

/** undefined: not set; infinite is Infinity. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)) return Number(value);
  if (!isFields(value)) return undefined;
  if (value['infinite'] === true) return Number.POSITIVE_INFINITY;
  return value['set'] === false ? undefined : numberOf(value['number']);
}

/** Seconds since 1970; 0 means never. */
export function timeOf(value: unknown): number | null {
  const seconds = numberOf(value);
  return seconds === undefined || seconds === 0 || !Number.isFinite(seconds) ? null : seconds;
}

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A list, or words separated by commas. */
export function wordsOf(value: unknown): readonly string[] {
  const words = Array.isArray(value)
    ? value.filter((word) => typeof word === 'string')
    : textOf(value).split(',');
  return words
    .map((word) => word.trim())
    .filter((word) => word !== '' && word !== '(null)' && word !== 'N/A');
}

/** Minutes, as job and partition limits are in JSON. */
export function minutesOf(value: unknown): number | 'UNLIMITED' | null {
  const minutes = numberOf(value);
  if (minutes === undefined) return null;
  return Number.isFinite(minutes) && minutes < 0xffff_fffe ? minutes : 'UNLIMITED';
}

/** `days-hours:minutes:seconds` and its shorter forms, in seconds; undefined for what is none. */
export function parseDuration(text: string): number | 'UNLIMITED' | undefined {
  if (/^(unlimited|infinite)$/i.test(text)) return 'UNLIMITED';
  const [, days, rest = ''] = /^(?:(\d+)-)?([\d:]+)$/.exec(text) ?? [];
  if (rest === '') return undefined;
  const parts = rest.split(':').map(Number);
  if (parts.some(Number.isNaN) || parts.length > 3) return undefined;
  // With days it begins at the hours, without it ends at the seconds; one number alone is minutes.
  const [hours = 0, minutes = 0, seconds = 0] =
    days !== undefined || parts.length === 3 ? parts : parts.length === 2 ? [0, ...parts] : [0, ...parts];
  return Number(days ?? 0) * 86_400 + hours * 3600 + minutes * 60 + seconds;
}

export function parseMinutes(text: string): number | 'UNLIMITED' | null {
  const seconds = parseDuration(text);
  if (seconds === undefined) return null;
  return seconds === 'UNLIMITED' ? seconds : Math.ceil(seconds / 60);
}

/** `2026-01-31T12:00:00` of the machine's own time zone, in seconds since 1970. */
export function parseTime(text: string): number | null {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? null : ms / 1000;
}

/**
 * The pairs of one line of `scontrol --oneliner`. A value may hold spaces; the first pair of a name counts, so that
 * text in a later one cannot replace it.
 */
export function parsePairs(line: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const part of line.split(/\s+(?=[A-Za-z][\w:/]*=)/)) {
    const at = part.indexOf('=');
    const name = part.slice(0, at).trim();
    if (at > 0 && !pairs.has(name)) pairs.set(name, part.slice(at + 1).trim());
  }
  return pairs;
}

export const linesOf = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line.trim() !== '');

/** How many graphics cards `gpu:a100:4(S:0-1),gpu:2,shard:8` are. */
export function countGpus(gres: string): number {
  return gres
    .replaceAll(/\([^)]*\)/g, '')
    .split(',')
    .map((part) => part.trim().split(':'))
    .filter(([name]) => name === 'gpu' || name === 'gres/gpu')
    .reduce((sum, parts) => {
      const count = parts.at(-1) ?? '';
      return sum + (parts.length > 1 && /^\d+$/.test(count) ? Number(count) : 1);
    }, 0);
}
