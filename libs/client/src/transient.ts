import { type GantryError, isGantryError } from './gantry-error.js';
import { pause, retryDelayMs } from './pause.js';

/** How long what fails in passing is tried again before it is passed on: a bridge that starts again takes less. */
const defaultPatienceMs = 60_000;

/** How failures that may pass are met. */
export interface Patience {
  /** Longest time without any success; a minute unless given. */
  readonly patienceMs?: number | undefined;
  /** Called before each wait: with what failed, and how long nothing has succeeded. */
  readonly onWait?: ((error: GantryError, waitedMs: number) => void) | undefined;
}

/** Whether the same request may do better in a moment: the connection broke, or the way to the node is away. */
export function isTransient(error: unknown): boolean {
  if (!isGantryError(error)) return false;
  const { code, status } = error;
  const isBroken = code === 'unreachable' || code === 'timeout' || code === 'node-lost';
  return isBroken || status === 503 || status === 504;
}

/** Counts what fails in a row, and waits longer each time. */
export class Attempts {
  readonly #patienceMs: number;
  readonly #onWait: Patience['onWait'];
  #failed = 0;
  #firstFailureMs = 0;

  constructor({ onWait, patienceMs = defaultPatienceMs }: Patience = {}) {
    this.#patienceMs = patienceMs;
    this.#onWait = onWait;
  }

  /** Something was brought forward. */
  reset(): void {
    this.#failed = 0;
  }

  /** Waits before the next attempt. @throws `error` itself when it is no passing one, or went on for too long */
  async after(error: unknown, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (!isGantryError(error) || !isTransient(error)) throw error;
    if (this.#failed === 0) this.#firstFailureMs = performance.now();
    this.#failed += 1;
    const waitedMs = performance.now() - this.#firstFailureMs;
    if (waitedMs >= this.#patienceMs) throw error;
    this.#onWait?.(error, waitedMs);
    const retryAfterMs = Math.min(error.retryAfterMs ?? 0, 10_000);
    await pause(retryDelayMs(this.#failed, retryAfterMs), signal);
  }
}

/**
 * What `work` gives, trying again while it fails in passing. Only for what may be done twice.
 * @throws what it failed with last, or at once what does not pass
 */
export async function repeatTransient<T>(
  work: () => Promise<T>,
  { signal, ...patience }: Patience & { readonly signal?: AbortSignal | undefined } = {},
): Promise<T> {
  const attempts = new Attempts(patience);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await attempts.after(error, signal);
    }
  }
}
