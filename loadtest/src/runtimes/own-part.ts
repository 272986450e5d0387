/**
 * The runtime's own part of calls: from a request on its queue to the result on the queue of the answer, without HTTP,
 * documents and RabbitMQ. Supervisor, isolation and executor processes are the real ones; the broker is the in-process
 * one, and code comes from memory.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeFrontend } from '@gantry/executor/testing/broker-fixture.js';
import type { Samples } from './measure.js';
import { type MeasuredLevel, measuredLevels } from './platform.js';

/** After a call of a new function: its spare thread is booted. */
const restMs = 400;
const source = (variant: string) => `export default (a, b) => a + b; // ${variant}`;

async function timeCall(frontend: FakeFrontend, code: string): Promise<number> {
  const request = frontend.request(code);
  const startedMs = performance.now();
  await frontend.send(request, [20, 22]);
  let finished = frontend.finishedOf(request.executionId);
  while (finished === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    finished = frontend.finishedOf(request.executionId);
  }
  const elapsedMs = performance.now() - startedMs;
  if (finished.status !== 'succeeded') throw new Error(`answered ${finished.result.toString()}`);
  return elapsedMs;
}

/** JavaScript; the levels in turns. */
export async function measureOwnPart(calls: number): Promise<Samples[]> {
  const frontends = new Map<MeasuredLevel, FakeFrontend>();
  const samples: Samples[] = [];
  const ms = new Map<string, number[]>();
  const note = (level: MeasuredLevel, figure: string, value: number) => {
    const key = `${level} ${figure}`;
    const known = ms.get(key) ?? [];
    if (!ms.has(key)) samples.push({ language: 'JS', level, figure, ms: known });
    ms.set(key, known);
    known.push(value);
  };
  try {
    for (const level of measuredLevels) {
      const frontend = new FakeFrontend();
      frontends.set(level, frontend);
      await frontend.start();
      await frontend.runtime({ isolation: level });
      await timeCall(frontend, source('warm-up'));
    }
    for (let call = 0; call < calls; call += 1)
      for (const [level, frontend] of frontends) {
        await sleep(restMs);
        const code = source(`${call}`);
        note(level, ownFirstCall, await timeCall(frontend, code));
        note(level, "second call, the runtime's own part", await timeCall(frontend, code));
      }
  } finally {
    for (const frontend of frontends.values()) await frontend.stop();
  }
  return samples;
}

export const ownFirstCall = "first call of a new function, the runtime's own part";
