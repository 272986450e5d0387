/** A worker thread that verifies one token at a time. It may be killed at any moment and holds nothing of value. */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '@gantry/kernel';
import { loadBiscuitWasm } from './load-wasm.js';
import {
  type VerifyOutcome,
  type VerifyRequest,
  type WorkerMessage,
  type WorkerSetup,
  workerProgress,
} from './verify-messages.js';
import { PublicKeyCache, verifyToken } from './verify-token.js';
import { warmUp } from './warm-up.js';

const { progress } = workerData as WorkerSetup;
const slots = new Int32Array(progress);
const send = (message: WorkerMessage): void => parentPort?.postMessage(message);

try {
  const wasm = await loadBiscuitWasm();
  const keys = new PublicKeyCache(wasm);
  warmUp(wasm, keys);
  parentPort?.on('message', (request: VerifyRequest) => {
    Atomics.store(slots, 0, workerProgress.running);
    let outcome: VerifyOutcome = { kind: 'timeout' };
    let isBroken = false;
    try {
      outcome = verifyToken(wasm, keys, request);
    } catch {
      // After a trap the instance is in an unknown state: ask for a new thread and another try there.
      isBroken = true;
    }
    Atomics.store(slots, 0, workerProgress.done);
    send({ kind: 'outcome', outcome, isBroken });
  });
  send({ kind: 'ready' });
} catch (error) {
  send({ kind: 'failed', detail: messageOf(error) });
}
