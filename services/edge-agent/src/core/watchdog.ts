/**
 * Ends a process whose main thread is blocked for good: a plugin that never gives way would hold the whole agent, with
 * a connection that looks alive until its heartbeat fails and nobody to start anything again. Who started the process
 * (systemd, the embedded platform) starts another; jobs go on.
 *
 * I1. Counted in ticks of both threads, not in time: a machine that sleeps, or a process that is stopped, stops both.
 */
import { Worker } from 'node:worker_threads';
import type { Part } from '@gantry/kernel';
import type { WatchdogInput } from './watchdog.worker.js';

export interface WatchdogOptions {
  readonly tickMs?: number;
  /** Ticks of the watcher without one of the main thread. */
  readonly maxMissed?: number;
}

/** A minute: far above what garbage collection or a slow disk can take. */
const defaults = { tickMs: 1000, maxMissed: 60 };

export class Watchdog implements Part {
  readonly name = 'watchdog';
  readonly #options: Required<WatchdogOptions>;
  #timer: NodeJS.Timeout | undefined;
  #worker: Worker | undefined;

  constructor(options: WatchdogOptions = {}) {
    this.#options = { ...defaults, ...options };
  }

  start(): void {
    const shared = new SharedArrayBuffer(4);
    const beats = new Int32Array(shared);
    const workerData: WatchdogInput = { shared, ...this.#options };
    this.#worker = new Worker(new URL('./watchdog.worker.js', import.meta.url), { workerData });
    // Without it the agent goes on as it would have.
    this.#worker.on('error', () => undefined);
    this.#worker.unref();
    this.#timer = setInterval(() => Atomics.add(beats, 0, 1), this.#options.tickMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#worker?.terminate();
  }
}
