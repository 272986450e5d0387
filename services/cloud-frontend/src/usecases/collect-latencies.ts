/** What a body may hold at most: a device measures a handful of clusters. */
const maxValues = 256;
const maxDepth = 4;
/** Longer is a mistake of the clock or of the unit. */
const maxLatencyMs = 10 * 60_000;

/**
 * The latencies in a device's report, in milliseconds. Its shape was never fixed, so every number counts, at any key
 * that is not an id, and so do texts that spell one.
 */
export function collectLatenciesMs(body: unknown, depth = 0): readonly number[] {
  if (typeof body === 'number') return isLatency(body) ? [body] : [];
  if (typeof body === 'string')
    return /^\s*\d+(\.\d+)?\s*$/.test(body) ? collectLatenciesMs(Number(body), depth) : [];
  if (typeof body !== 'object' || body === null || depth >= maxDepth) return [];
  return Object.entries(body)
    .slice(0, maxValues)
    .filter(([key]) => !isIdKey(key))
    .flatMap(([, value]) => collectLatenciesMs(value, depth + 1))
    .slice(0, maxValues);
}

const isLatency = (value: number): boolean => value >= 0 && value <= maxLatencyMs;

/** `id`, `device_id`, `deviceId`; not `Madrid`. */
const isIdKey = (key: string): boolean => /(^|_)ids?$/i.test(key) || /[a-z](Id|ID)s?$/.test(key);
