import { isGantryError } from './gantry-error.js';
import { pause, retryDelayMs } from './pause.js';

/** Attempts in a row that brought nothing forward, before what fails is passed on. */
const maxAttempts = 8;

/** Whether the same request may do better in a moment: the connection broke, or the way to the node is away. */
export function isTransient(error: unknown): boolean {
  if (!isGantryError(error)) return false;
  const { code, status } = error;
  const isBroken = code === 'unreachable' || code === 'timeout' || code === 'node-lost';
  return isBroken || status === 503 || status === 504;
}

/** Counts what fails in a row, and waits longer each time. */
export class Attempts {
  #failed = 0;

  /** Something was brought forward. */
  reset(): void {
    this.#failed = 0;
  }

  /** Waits before the next attempt. @throws `error` itself when it is no passing one, or came too often */
  async after(error: unknown, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    this.#failed += 1;
    if (!isTransient(error) || this.#failed >= maxAttempts) throw error;
    const retryAfterMs = isGantryError(error) ? Math.min(error.retryAfterMs ?? 0, 10_000) : 0;
    await pause(retryDelayMs(this.#failed, retryAfterMs), signal);
  }
}
