/** Waits, or rejects with the signal's reason as soon as it aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

const baseDelayMs = 100;
const maxDelayMs = 5000;

/**
 * How long to wait before attempt `attempt` + 1: what the platform asked for, at least, and a random part, so that
 * a thousand refused devices do not come back together.
 */
export function retryDelayMs(attempt: number, retryAfterMs = 0, random = Math.random): number {
  const backoffMs = Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(attempt, 10));
  return Math.ceil(retryAfterMs + random() * backoffMs);
}
