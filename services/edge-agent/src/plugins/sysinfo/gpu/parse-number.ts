/** The number that a tool wrote, or null for `[N/A]`, `N/A`, an empty cell and the like. */
export function parseNumber(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || !/^\s*-?\d+(\.\d+)?\s*(%|W|MiB|C)?\s*$/.test(value)) return null;
  return Number.parseFloat(value);
}

const mebibyte = 1024 * 1024;

/** Whole MiB, the unit of the `mem_*` fields. */
export const toMebibytes = (bytes: number | null): number | null =>
  bytes === null ? null : Math.round(bytes / mebibyte);
