/**
 * Finds out that the other side is gone although the connection says nothing: a ping at a time, measured.
 *
 * I1. At most one ping is under way.
 * I2. A connection is given up when it sent no byte at all for `timeoutMs` after a ping: on a slow line the answer may
 *     queue behind megabytes that prove the same. Six times that long without the answer itself is too much too.
 */
import type { Http2Session } from 'node:http2';

export interface HeartbeatOptions {
  readonly session: Http2Session;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Counts what came in, of any kind. */
  readonly receivedBytes: () => number;
  readonly onLost: (reason: string) => void;
}

const patience = 6;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | undefined;
  #latencyMs: number | undefined;
  #stopped = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#next();
  }

  /** Round trip of the last ping. */
  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #next(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#beat(), this.#options.intervalMs);
    this.#timer.unref();
  }

  #beat(): void {
    const { session, timeoutMs } = this.#options;
    if (this.#stopped || session.destroyed) return;
    this.#watch(performance.now(), this.#options.receivedBytes(), timeoutMs);
    const sent = session.ping((error, durationMs) => {
      clearTimeout(this.#timer);
      if (error === null) this.#latencyMs = durationMs;
      this.#next();
    });
    // Refused when too many wait for an answer: the watch is running and decides.
    if (!sent) return;
  }

  #watch(sinceMs: number, seenBytes: number, delayMs: number): void {
    const { timeoutMs, receivedBytes, onLost } = this.#options;
    this.#timer = setTimeout(() => {
      const silentMs = Math.round(performance.now() - sinceMs);
      const received = receivedBytes();
      // I2
      if (received === seenBytes || silentMs > patience * timeoutMs)
        onLost(`no sign of life for ${silentMs} ms`);
      else this.#watch(sinceMs, received, timeoutMs);
    }, delayMs);
    this.#timer.unref();
  }
}
