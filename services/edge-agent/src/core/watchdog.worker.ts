import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

export interface WatchdogInput {
  /** One number that the main thread counts up. */
  readonly shared: SharedArrayBuffer;
  readonly tickMs: number;
  readonly maxMissed: number;
}

const { maxMissed, shared, tickMs } = workerData as WatchdogInput;
const beats = new Int32Array(shared);
let seen = -1;
let missed = 0;

setInterval(() => {
  const now = Atomics.load(beats, 0);
  missed = now === seen ? missed + 1 : 0;
  seen = now;
  if (missed < maxMissed) return;
  const message = 'the main thread has been blocked for too long; the agent ends, to be started again';
  const line = {
    time: new Date().toISOString(),
    level: 'error',
    service: 'edge-agent',
    message,
    op: 'agent.blocked',
  };
  // The logger is in the main thread.
  writeSync(2, `${JSON.stringify(line)}\n`);
  process.kill(process.pid, 'SIGKILL');
}, tickMs);
