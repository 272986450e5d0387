/** What starting and stopping a foreign server (PostgreSQL, RabbitMQ) for tests has in common. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server that has not ended this long after a signal is killed. */
const stopTimeoutMs = 20_000;

/**
 * Waits until a server that was just started can be used.
 * @throws Error with the end of its log when it ends, or is not up within `timeoutMs`
 */
export async function untilUp(
  what: string,
  child: ChildProcess,
  { isUp, log, timeoutMs }: { isUp: () => Promise<boolean>; log: () => string; timeoutMs: number },
): Promise<void> {
  const giveUpAtMs = performance.now() + timeoutMs;
  while (performance.now() < giveUpAtMs) {
    if (hasEnded(child)) throw new Error(`${what} ended at start:\n${log()}`);
    if (await isUp()) return;
    await sleep(50);
  }
  throw new Error(`${what} was not ready within ${timeoutMs} ms:\n${log()}`);
}

/** Sends a signal and waits for the end. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const last = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  child.kill(signal);
  await ended;
  clearTimeout(last);
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
