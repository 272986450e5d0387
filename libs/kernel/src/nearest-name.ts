/** Longer names are compared with nothing: nobody mistypes them. */
const maxNameChars = 64;

/**
 * The known name that a mistyped one was probably meant to be: two letters differ at most (one in short names), or one
 * of the two begins with the other. Undefined for a known name and for one that is like none.
 */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  if (name.length > maxNameChars) return undefined;
  const maxDistance = name.length < 6 ? 1 : 2;
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    if (candidate === name) return undefined;
    const isBeginning = isWordStart(name, candidate) || isWordStart(candidate, name);
    const distance = isBeginning ? maxDistance : distanceOf(name, candidate);
    if (distance <= maxDistance && distance < (best?.distance ?? Infinity))
      best = { name: candidate, distance };
  }
  return best?.name;
}

/** `MAX_MEMORY` of `MAX_MEMORY_MIB`; one word alone says too little. */
const isWordStart = (start: string, whole: string): boolean =>
  start.split('_').length > 1 && whole.startsWith(`${start}_`);

/** Letters to insert, remove or replace to make one of the other (Levenshtein). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_none, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries())
      next.push(
        Math.min((row[j] ?? 0) + (letter === other ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}
