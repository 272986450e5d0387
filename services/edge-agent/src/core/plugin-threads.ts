/**
 * Worker threads for what would block the agent.
 *
 * I1. A thread is terminated when its work ends, at its deadline, on abort and when the plugin stops.
 * I2. A plugin has at most `maxThreads` at once; more are refused, not queued.
 * I3. `run` settles only after the thread is gone: what it was handed (a file descriptor) can be closed then.
 */
import { Worker } from 'node:worker_threads';
import { readEnvironment } from '@gantry/config';
import { AppError } from '@gantry/kernel';
import { linkSignals } from './link-signals.js';
import type { PluginThreads } from './ports.js';

const memoryLimits = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32 };

/** What a thread says when it is done. */
export type ThreadAnswer =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly name: string; readonly message: string; readonly code?: string };

export function createPluginThreads(options: {
  readonly maxThreads: number;
  readonly signal: AbortSignal;
}): PluginThreads {
  let running = 0;
  return {
    run: async <T>(module: URL, input: unknown, limits: { timeoutMs: number; signal?: AbortSignal }) => {
      // I2
      if (running >= options.maxThreads)
        throw new AppError('plugin-busy', `The plugin has ${running} threads at work already`);
      running += 1;
      const ending = new AbortController();
      const unlink = linkSignals(ending, [options.signal, ...(limits.signal ? [limits.signal] : [])]);
      try {
        return (await runInThread(module, input, limits.timeoutMs, ending.signal)) as T;
      } finally {
        unlink();
        running -= 1;
      }
    },
  };
}

async function runInThread(
  module: URL,
  input: unknown,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  if (signal.aborted) throw stopped();
  const worker = new Worker(new URL('./run-in-thread.worker.js', import.meta.url), {
    workerData: { module: module.href, input },
    resourceLimits: memoryLimits,
    // Nothing of the agent's command line is theirs, and of its environment only where programs are.
    argv: [],
    execArgv: [],
    env: { PATH: readEnvironment('PATH') ?? '/usr/bin:/bin' },
    stdin: false,
  });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  let timer: NodeJS.Timeout | undefined;
  let onAbort: () => void = () => undefined;
  try {
    const answer = await new Promise<ThreadAnswer>((resolve, reject) => {
      onAbort = () => reject(stopped());
      signal.addEventListener('abort', onAbort, { once: true });
      timer = setTimeout(
        () =>
          reject(new AppError('plugin-timeout', `A thread of the plugin did not end within ${timeoutMs} ms`)),
        timeoutMs,
      );
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`A thread of the plugin ended with code ${code}`)));
    });
    return unwrap(answer);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    // I1, I3
    await worker.terminate();
    await exited;
  }
}

const stopped = (): AppError => new AppError('plugin-unavailable', 'The work was stopped');

function unwrap(answer: ThreadAnswer): unknown {
  if (answer.kind === 'done') return answer.value;
  const error = new Error(answer.message);
  error.name = answer.name;
  throw answer.code === undefined ? error : Object.assign(error, { code: answer.code });
}
