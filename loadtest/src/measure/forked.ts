/** Child processes with a channel to this one. They end when it ends, whatever ends it: they watch the channel. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { GeneratorMessage, LoadFigures, LoadOrder } from './load.js';

const readyTimeoutMs = 20_000;

export interface Forked {
  readonly pid: number;
  /** Where it listens, when it said so. */
  readonly port: number | undefined;
  stop(): Promise<void>;
}

export interface Generator extends Forked {
  /** Runs one order; `onMeasuring` is called when the warm-up is over. */
  run(order: LoadOrder, onMeasuring: () => void): Promise<LoadFigures>;
}

/** Starts a module of this package, named from its root, and waits until it says that it is ready. */
export async function startForked(modulePath: string, args: readonly string[]): Promise<Forked> {
  return (await spawnReady(modulePath, args)).forked;
}

/** Starts a load generator. */
export async function startGenerator(modulePath: string, args: readonly string[]): Promise<Generator> {
  const { child, forked } = await spawnReady(modulePath, args);
  return {
    ...forked,
    run: (order, onMeasuring) =>
      new Promise((resolve, reject) => {
        const settle = (work: () => void) => {
          clearTimeout(timer);
          child.off('message', onMessage).off('exit', onExit);
          work();
        };
        const onMessage = (message: GeneratorMessage) => {
          if (message.kind === 'measuring') onMeasuring();
          if (message.kind === 'measured') settle(() => resolve(message.figures));
          if (message.kind === 'failed') settle(() => reject(new Error(`${modulePath}: ${message.reason}`)));
        };
        const onExit = () => settle(() => reject(new Error(`${modulePath} ended while it measured`)));
        const limitMs = order.warmMs + order.measureMs + 30_000;
        const timer = setTimeout(
          () => settle(() => reject(new Error(`${modulePath} did not report within ${limitMs} ms`))),
          limitMs,
        );
        child.on('message', onMessage).on('exit', onExit);
        child.send(order);
      }),
  };
}

async function spawnReady(modulePath: string, args: readonly string[]) {
  const path = fileURLToPath(new URL(`../${modulePath}`, import.meta.url));
  const child = fork(path, [...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`${modulePath} ended at its start`)));
  // Only its end before it was ready is an error.
  ended.catch(() => undefined);
  const timeout = AbortSignal.timeout(readyTimeoutMs);
  const [message] = (await Promise.race([once(child, 'message', { signal: timeout }), ended])) as [
    { port?: number },
  ];
  const forked: Forked = { pid: child.pid ?? -1, port: message.port, stop: () => stopChild(child) };
  return { child, forked };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
