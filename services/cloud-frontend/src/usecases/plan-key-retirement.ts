import type { SigningKey } from '@gantry/store';

/** Another frontend may sign with the old key until it has seen the new one, and clocks differ. */
const graceMs = 5 * 60_000;

/**
 * Says which keys no living token needs: those whose successor is older than a token lives. Answers the instant for
 * {@link KeyStore.removeOlderThan}, or undefined when every key is needed.
 * @param keys oldest first
 */
export function planKeyRetirement(
  keys: readonly SigningKey[],
  nowMs: number,
  tokenLifetimeMs: number,
): number | undefined {
  const oldestNeeded = keys.findLast((key) => key.createdAtMs <= nowMs - tokenLifetimeMs - graceMs);
  return oldestNeeded === undefined || oldestNeeded === keys[0] ? undefined : oldestNeeded.createdAtMs;
}
