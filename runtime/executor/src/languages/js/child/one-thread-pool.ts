import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { ThreadSettings } from '../thread/messages.js';

/** A piscina pool of one thread, which has nothing of this process but its settings. */
export function poolOfOneThread(entryFile: string, settings: ThreadSettings, memoryMiB: number): Piscina {
  const pool = new Piscina({
    filename: entryFile,
    workerData: settings,
    env: {},
    argv: [],
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    // 'sync' would stop the function's own timers between calls.
    atomics: 'disabled',
    recordTiming: false,
    resourceLimits: {
      maxOldGenerationSizeMb: memoryMiB,
      maxYoungGenerationSizeMb: 16,
      stackSizeMb: 4,
    },
  });
  pool.on('error', () => {
    // The task of the thread that died is rejected as well, which is where it is handled.
  });
  return pool;
}

/** Resolves when a thread is gone. */
export function exited(thread: Worker | undefined): Promise<void> {
  // threadId is -1 once the thread is gone.
  if (thread === undefined || thread.threadId === -1) return Promise.resolve();
  return new Promise((resolve) => thread.once('exit', () => resolve()));
}
