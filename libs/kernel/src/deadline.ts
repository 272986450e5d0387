import { setTimeout as sleep } from 'node:timers/promises';

/** Thrown by {@link withDeadline}; `name` is what to recognise it by. */
export class DeadlineError extends Error {
  constructor(what: string, timeoutMs: number) {
    super(`${what} did not finish within ${timeoutMs} ms`);
    this.name = 'DeadlineError';
  }
}

export const isDeadlineError = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'name' in error && error.name === 'DeadlineError';

/**
 * Waits for `work` at most `timeoutMs`. The work itself is not stopped: give it an AbortSignal for that.
 * @throws {DeadlineError} when the time is over first
 */
export async function withDeadline<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(what, timeoutMs)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits, or rejects as soon as the signal aborts. */
export const delay = (ms: number, signal?: AbortSignal): Promise<void> =>
  sleep(ms, undefined, signal === undefined ? undefined : { signal });
