import { describe, expect, it } from '@jest/globals';
import {
  aLease,
  anExecution,
  anOutcome,
  now,
  parameters,
  type StoreContractHarness,
  useStore,
} from './fixtures.js';

export function describeExecutionUpkeep(harness: StoreContractHarness): void {
  describe('upkeep of executions', () => {
    const opened = useStore(harness);
    const requeue = { all: false, graceMs: 1000, maxAttempts: 3, nowMs: now };

    it('puts back what runs longer than it may, to be published again', async () => {
      const { executions } = opened().store;
      for (const id of ['lost', 'busy', 'waits']) {
        await executions.accept(anExecution(id), parameters);
        await executions.markPublished(id, now);
      }
      await executions.leaseStart(aLease('lost', { nowMs: now }));
      await executions.leaseStart(aLease('busy', { nowMs: now + 1 }));
      await executions.setProgress('lost', 1, 500);
      expect(await executions.requeueLost({ ...requeue, nowMs: now + 6000 })).toBe(0);
      expect(await executions.requeueLost({ ...requeue, nowMs: now + 6001 })).toBe(1);
      expect(await executions.find('lost')).toMatchObject({
        status: 'queued',
        attempt: 1,
        runtimeId: undefined,
        progressPerMille: undefined,
      });
      expect(await executions.find('busy')).toMatchObject({ status: 'running' });
      expect((await executions.listUnpublished(now + 9000, 10)).map((each) => each.id)).toEqual(['lost']);
      expect(await executions.leaseStart(aLease('lost', { nowMs: now + 6002 }))).toEqual({
        kind: 'granted',
        attempt: 2,
      });
    });

    it('lets a lost run wait for its whole queue time again, so that it runs instead of expiring', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('lost'), parameters);
      await executions.leaseStart(aLease('lost', { nowMs: now }));
      const laterMs = now + 100_000;
      expect(await executions.requeueLost({ ...requeue, nowMs: laterMs })).toBe(1);
      expect(await executions.find('lost')).toMatchObject({ expiresAtMs: laterMs + 10_000 });
      expect(await executions.expireOverdue(laterMs, 0)).toBe(0);
      const lease = await executions.leaseStart(aLease('lost', { nowMs: laterMs + 1 }));
      expect(lease).toEqual({ kind: 'granted', attempt: 2 });
    });

    it('still takes the result of a run that was put back', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('lost'), parameters);
      await executions.leaseStart(aLease('lost', { nowMs: now }));
      await executions.requeueLost({ ...requeue, all: true });
      expect(await executions.finish('lost', 1, anOutcome())).toBe(true);
      expect(await executions.leaseStart(aLease('lost'))).toEqual({ kind: 'refused', reason: 'succeeded' });
    });

    it('puts back everything unfinished when the broker lost its memory', async () => {
      const { executions } = opened().store;
      for (const id of ['waits', 'runs', 'done', 'spent']) {
        await executions.accept(anExecution(id), parameters);
        await executions.markPublished(id, now);
      }
      await executions.accept(anExecution('fresh'), parameters);
      await executions.leaseStart(aLease('runs'));
      await executions.finish('done', 0, anOutcome());
      for (const redelivered of [false, true, true])
        await executions.leaseStart(aLease('spent', { redelivered }));
      const sync = anExecution('sync', { mode: 'sync', status: 'running' });
      await executions.record([{ execution: sync, logs: '' }]);
      expect(await executions.requeueLost({ ...requeue, all: true })).toBe(3);
      expect(await executions.requeueLost({ ...requeue, all: true })).toBe(0);
      const unpublished = await executions.listUnpublished(now + 1, 10);
      expect(unpublished.map((each) => each.id)).toEqual(['fresh', 'runs', 'waits']);
      expect(await executions.find('spent')).toMatchObject({
        status: 'dead',
        err: expect.stringMatching(/^worker-lost: /),
      });
      expect(await executions.find('done')).toMatchObject({ status: 'succeeded' });
      expect(await executions.find('sync')).toMatchObject({ status: 'running' });
    });

    it('expires what waits past its time and grace, and ends synchronous ones after their run time', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('waits'), parameters);
      await executions.accept(anExecution('runs'), parameters);
      await executions.leaseStart(aLease('runs'));
      const rows = (['queued', 'running', 'succeeded'] as const).map((status) => ({
        execution: anExecution(`sync-${status}`, { mode: 'sync', status }),
        logs: '',
      }));
      await executions.record(rows);
      expect(await executions.expireOverdue(now + 11_000, 1000)).toBe(0);
      expect(await executions.expireOverdue(now + 11_001, 1000)).toBe(1);
      expect(await executions.find('waits')).toMatchObject({ status: 'expired', finishedAtMs: now + 11_001 });
      expect(await executions.expireOverdue(now + 16_000, 1000)).toBe(0);
      expect(await executions.expireOverdue(now + 16_001, 1000)).toBe(2);
      expect(await executions.find('sync-queued')).toMatchObject({ status: 'expired' });
      expect(await executions.find('sync-running')).toMatchObject({
        status: 'failed',
        retCode: -1,
        err: expect.stringMatching(/^worker-lost: /),
      });
      expect(await executions.find('sync-succeeded')).toMatchObject({ status: 'succeeded', err: undefined });
      expect(await executions.find('runs')).toMatchObject({ status: 'running' });
    });

    it('empties old results, keeps a tombstone, and drops it later', async () => {
      const { executions } = opened().store;
      for (const id of ['old', 'young', 'open']) await executions.accept(anExecution(id), parameters);
      await executions.finish('old', 0, anOutcome({ finishedAtMs: now, err: 'x' }));
      await executions.finish('young', 0, anOutcome({ finishedAtMs: now + 50 }));
      expect(await executions.purge({ finishedBeforeMs: now + 50, dropBeforeMs: now })).toBe(1);
      expect(await executions.isPurged('old')).toBe(true);
      expect(await executions.find('old')).toMatchObject({
        status: 'succeeded',
        res: undefined,
        err: undefined,
        retCode: undefined,
      });
      expect(await executions.readLogs('old')).toBe('');
      expect(await executions.readParameters('old')).toBeUndefined();
      expect(await executions.isPurged('young')).toBe(false);
      expect(await executions.readParameters('young')).toBeDefined();
      expect(await executions.purge({ finishedBeforeMs: now + 50, dropBeforeMs: now + 1 })).toBe(1);
      expect(await executions.find('old')).toBeUndefined();
      expect(await executions.find('open')).toMatchObject({ status: 'queued' });
      expect(await executions.finish('young', 0, anOutcome())).toBe(false);
    });

    it('works through more rows than one batch', async () => {
      const { executions } = opened().store;
      const rows = Array.from({ length: 700 }, (_, at) => ({
        execution: anExecution(`s${at}`, { mode: 'sync', status: 'running' }),
        logs: 'x',
      }));
      await executions.record(rows);
      expect(await executions.expireOverdue(now + 1_000_000, 0)).toBe(700);
      const afterMs = now + 2_000_000;
      expect(await executions.purge({ finishedBeforeMs: afterMs, dropBeforeMs: 0 })).toBe(700);
      expect(await executions.purge({ finishedBeforeMs: afterMs, dropBeforeMs: afterMs })).toBe(700);
      expect((await executions.list({}, { limit: 5 })).items).toEqual([]);
    });
  });
}
