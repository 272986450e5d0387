import { AppError, silentLogger, systemClock } from '@gantry/kernel';
import { expect, it } from '@jest/globals';
import { type SubmitDeps, submitExecution } from './submit-execution.js';

const prepared = {
  request: { executionId: 'async.1', mode: 'async', flavour: 'Nature' },
  content: Buffer.alloc(0),
} as unknown as Parameters<typeof submitExecution>[1];

it('takes back what the store wrote after it was too late, and publishes nothing', async () => {
  const rows = new Set<string>();
  let published = 0;
  const deps = {
    broker: {
      publish: () => {
        published += 1;
        return Promise.resolve('confirmed');
      },
    },
    executions: {
      accept: () => {
        // The deadline of the call ends before the write does.
        setTimeout(() => rows.add('async.1'), 100);
        return Promise.reject(new AppError('store-unavailable'));
      },
      withdraw: (id: string) => {
        rows.delete(id);
        return Promise.resolve();
      },
    },
    clock: systemClock,
    logger: silentLogger,
    countOutcome: () => undefined,
  } as unknown as SubmitDeps;
  await expect(submitExecution(deps, prepared, Buffer.alloc(0))).rejects.toMatchObject({
    code: 'store-unavailable',
  });
  const end = performance.now() + 10_000;
  let wasWritten = false;
  while (performance.now() < end && !(wasWritten && rows.size === 0)) {
    wasWritten ||= rows.size > 0;
    await new Promise((wake) => setTimeout(wake, 10));
  }
  expect({ wasWritten, left: rows.size, published }).toEqual({ wasWritten: true, left: 0, published: 0 });
});
