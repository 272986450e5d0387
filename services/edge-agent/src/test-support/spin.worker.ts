/** Holds its thread for so many milliseconds and does nothing else. */
export function run(ms: number): number {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return ms;
}
