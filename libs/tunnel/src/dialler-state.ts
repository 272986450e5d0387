import type { TunnelEnd } from './types.js';

/** How an attempt to connect, or a connection, came to its end. */
export type DialEnd =
  | { readonly kind: 'ended'; readonly end: TunnelEnd; readonly uptimeMs: number }
  /** The bridge answered the upgrade with a status, for example 401; `detail` is the one of its problem body. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly detail: string;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** What one connection of a dialler is doing. */
export type DialState =
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'connected' }
  | { readonly kind: 'waiting'; readonly delayMs: number; readonly after: DialEnd }
  | { readonly kind: 'closed' };

/** A connection that lasted this long was a working one: the next attempt comes without a backoff to pay for. */
export const minUptimeForResetMs = 10_000;
const baseDelayMs = 200;
const maxDelayMs = 10_000;

/**
 * How long to wait before attempt number `attempt` (from 0: the first after an end). Full jitter up to 10 s, so that a
 * thousand agents do not come back to a restarted bridge at the same moment; a refusal may ask for longer, up to a
 * minute.
 */
export function planDelayMs(after: DialEnd, attempt: number, random: () => number): number {
  const capMs = Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(attempt, 30));
  const jitterMs = Math.floor(random() * capMs);
  if (after.kind === 'refused')
    return Math.max(jitterMs, Math.min(after.retryAfterMs ?? 0, 60_000), Math.floor(capMs / 2));
  return jitterMs;
}
