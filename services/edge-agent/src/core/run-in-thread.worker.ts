/** The first code of a worker thread of a plugin: loads the module, runs its `run`, says how it went. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadAnswer } from './plugin-threads.js';

const { module, input } = workerData as { readonly module: string; readonly input: unknown };

const say = (answer: ThreadAnswer): void => parentPort?.postMessage(answer);

try {
  const { run } = (await import(module)) as { run: (input: unknown) => unknown };
  say({ kind: 'done', value: await run(input) });
} catch (error) {
  const { name, message, code } = error as NodeJS.ErrnoException;
  say({
    kind: 'threw',
    name: String(name),
    message: String(message),
    ...(typeof code === 'string' ? { code } : {}),
  });
}
