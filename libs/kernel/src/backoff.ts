/** Full jitter (AWS, "Exponential backoff and jitter"): anything from 0 to the cap of this attempt. */
export function fullJitterMs(attempt: number, baseMs: number, maxMs: number, random = Math.random): number {
  return Math.floor(random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)));
}
