import { createHash } from 'node:crypto';
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

export function describeExecutions(harness: StoreContractHarness): void {
  describe('executions', () => {
    const opened = useStore(harness);

    it('answers an accepted execution and its parameters as they were', async () => {
      const { executions } = opened().store;
      const execution = anExecution('async.1', { traceparent: '00-ab-cd-01', runMs: 2 ** 40 });
      await executions.accept(execution, parameters);
      expect(await executions.find('async.1')).toEqual(execution);
      expect(Buffer.from((await executions.readParameters('async.1')) ?? [])).toEqual(
        Buffer.from(parameters),
      );
      expect(await executions.readLogs('async.1')).toBe('');
      expect(await executions.isPurged('async.1')).toBe(false);
    });

    it('keeps what was asked of the runtime for a later publish, and nothing where nothing was', async () => {
      const { executions } = opened().store;
      const asked = { isFresh: true, limits: { memoryMiB: 64, resultBytes: 1000 } } as const;
      await executions.accept(anExecution('async.1', asked), parameters);
      await executions.accept(anExecution('async.2', { limits: { logBytes: 5 } }), parameters);
      await executions.accept(anExecution('async.3'), parameters);
      expect(await executions.find('async.1')).toMatchObject(asked);
      const [first, second, third] = await executions.listUnpublished(now + 1, 10);
      expect(first).toMatchObject(asked);
      expect([second?.isFresh, second?.limits]).toEqual([undefined, { logBytes: 5 }]);
      expect([third?.isFresh, third?.limits]).toEqual([undefined, undefined]);
      await executions.accept(anExecution('async.4', { functionOwner: 'bob' }), parameters);
      const listed = await executions.listUnpublished(now + 1, 10);
      expect(listed.map((each) => each.functionOwner)).toEqual([undefined, undefined, undefined, 'bob']);
      await executions.leaseStart(aLease('async.1'));
      await executions.requeueLost({ all: true, graceMs: 0, maxAttempts: 3, nowMs: now + 10 });
      expect(await executions.listUnpublished(now + 1, 10)).toContainEqual(expect.objectContaining(asked));
    });

    it('says since when the longest waiting asynchronous execution of a flavour waits', async () => {
      const { executions } = opened().store;
      expect(await executions.oldestQueuedAtMs('Nature')).toBeUndefined();
      await executions.accept(anExecution('a', { createdAtMs: now + 5 }), parameters);
      await executions.accept(anExecution('b', { createdAtMs: now + 3 }), parameters);
      await executions.accept(anExecution('c', { createdAtMs: now + 1, flavour: 'Other' }), parameters);
      const sync = anExecution('s', { mode: 'sync', createdAtMs: now });
      await executions.record([{ execution: sync, logs: '' }]);
      expect(await executions.oldestQueuedAtMs('Nature')).toBe(now + 3);
      await executions.leaseStart(aLease('b'));
      expect(await executions.oldestQueuedAtMs('Nature')).toBe(now + 5);
      await executions.finish('a', 0, anOutcome({ status: 'cancelled' }));
      expect(await executions.oldestQueuedAtMs('Nature')).toBeUndefined();
      expect(await executions.oldestQueuedAtMs('Other')).toBe(now + 1);
    });

    it('answers nothing for what it does not know', async () => {
      const { executions } = opened().store;
      for (const id of ['async.x', '', 'nul\u0000', "'; drop table executions; --"]) {
        expect(await executions.find(id)).toBeUndefined();
        expect(await executions.readLogs(id)).toBeUndefined();
        expect(await executions.readParameters(id)).toBeUndefined();
        expect(await executions.isPurged(id)).toBe(false);
        expect(await executions.leaseStart(aLease(id))).toEqual({ kind: 'refused', reason: 'unknown' });
        expect(await executions.finish(id, 0, anOutcome())).toBe(false);
        await executions.setProgress(id, 1, 10);
        await executions.markPublished(id, now);
        await executions.withdraw(id);
      }
    });

    it('withdraws what the broker refused, and nothing that was started or confirmed', async () => {
      const { executions } = opened().store;
      for (const id of ['a', 'b', 'c']) await executions.accept(anExecution(id), parameters);
      await executions.leaseStart(aLease('b'));
      await executions.markPublished('c', now);
      for (const id of ['a', 'b', 'c']) await executions.withdraw(id);
      expect(await executions.find('a')).toBeUndefined();
      expect(await executions.readParameters('a')).toBeUndefined();
      expect(await executions.find('b')).toMatchObject({ status: 'running' });
      expect(await executions.find('c')).toMatchObject({ status: 'queued' });
    });

    it('lists what the broker never confirmed, oldest first', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('b', { createdAtMs: now + 1 }), parameters);
      await executions.accept(anExecution('a', { createdAtMs: now }), parameters);
      await executions.accept(anExecution('c', { createdAtMs: now + 2 }), parameters);
      await executions.accept(anExecution('d', { createdAtMs: now + 3 }), parameters);
      await executions.record([{ execution: anExecution('s', { mode: 'sync' }), logs: '' }]);
      await executions.markPublished('c', now + 2);
      const ids = async (beforeMs: number, limit: number) =>
        (await executions.listUnpublished(beforeMs, limit)).map((execution) => execution.id);
      expect(await ids(now + 3, 10)).toEqual(['a', 'b']);
      expect(await ids(now + 9, 10)).toEqual(['a', 'b', 'd']);
      expect(await ids(now + 9, 1)).toEqual(['a']);
      expect(await ids(now, 10)).toEqual([]);
    });

    it('grants one lease for a delivery, whoever and however many ask', async () => {
      const { store, openAnother } = opened();
      const other = await openAnother();
      await store.executions.accept(anExecution('async.1'), parameters);
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          (at % 2 === 0 ? store : other).executions.leaseStart(
            aLease('async.1', { runtimeId: `runtime${at}` }),
          ),
        ),
      );
      expect(outcomes.filter((outcome) => outcome.kind === 'granted')).toEqual([
        { kind: 'granted', attempt: 1 },
      ]);
      const refused = outcomes.filter((outcome) => outcome.kind === 'refused');
      expect(new Set(refused.map((outcome) => outcome.reason))).toEqual(new Set(['running']));
      const winner = outcomes.findIndex((outcome) => outcome.kind === 'granted');
      expect(await store.executions.find('async.1')).toMatchObject({
        status: 'running',
        attempt: 1,
        runtimeId: `runtime${winner}`,
        startedAtMs: now + 5,
      });
    });

    it('starts a lost run again while it has attempts left, then it is dead', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('async.1'), parameters);
      const again = aLease('async.1', { redelivered: true, nowMs: now + 60_000 });
      expect(await executions.leaseStart(aLease('async.1'))).toEqual({ kind: 'granted', attempt: 1 });
      // Past its expiry: only what waits can expire.
      expect(await executions.leaseStart(again)).toEqual({ kind: 'granted', attempt: 2 });
      expect(await executions.leaseStart(again)).toEqual({ kind: 'granted', attempt: 3 });
      expect(await executions.leaseStart(again)).toEqual({ kind: 'refused', reason: 'exhausted' });
      expect(await executions.leaseStart(again)).toEqual({ kind: 'refused', reason: 'dead' });
      expect(await executions.find('async.1')).toMatchObject({
        status: 'dead',
        attempt: 3,
        retCode: -1,
        err: expect.stringMatching(/^worker-lost: /),
        finishedAtMs: now + 60_000,
      });
    });

    it('expires what waited past its time instead of starting it', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('late'), parameters);
      await executions.accept(anExecution('intime'), parameters);
      const late = aLease('late', { nowMs: now + 10_001 });
      expect(await executions.leaseStart(late)).toEqual({ kind: 'refused', reason: 'expired' });
      expect(await executions.leaseStart(aLease('late'))).toEqual({ kind: 'refused', reason: 'expired' });
      expect(await executions.find('late')).toMatchObject({
        status: 'expired',
        attempt: 0,
        finishedAtMs: now + 10_001,
      });
      expect(await executions.leaseStart(aLease('intime', { nowMs: now + 10_000 }))).toMatchObject({
        kind: 'granted',
      });
    });

    it('refuses a lease on what was cancelled', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('async.1'), parameters);
      expect(await executions.finish('async.1', 0, anOutcome({ status: 'cancelled', res: undefined }))).toBe(
        true,
      );
      expect(await executions.leaseStart(aLease('async.1'))).toEqual({
        kind: 'refused',
        reason: 'cancelled',
      });
    });

    it('keeps the first terminal state of many that come at once', async () => {
      const { store, openAnother } = opened();
      const other = await openAnother();
      await store.executions.accept(anExecution('async.1'), parameters);
      await store.executions.leaseStart(aLease('async.1'));
      const finishes = Array.from({ length: 10 }, (_, at) =>
        (at % 2 === 0 ? store : other).executions.finish('async.1', at % 2, anOutcome({ res: `r${at}` })),
      );
      const won = await Promise.all(finishes);
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await store.executions.find('async.1')).toMatchObject({
        status: 'succeeded',
        res: `r${won.indexOf(true)}`,
      });
    });

    it('takes results of the attempts that were given, late ones too, and of no other', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('async.1'), parameters);
      expect(await executions.finish('async.1', 1, anOutcome())).toBe(false);
      await executions.leaseStart(aLease('async.1'));
      await executions.leaseStart(aLease('async.1', { redelivered: true }));
      expect(await executions.finish('async.1', 3, anOutcome())).toBe(false);
      expect(await executions.finish('async.1', -1, anOutcome())).toBe(false);
      expect(await executions.finish('async.1', 1, anOutcome())).toBe(true);
      expect(await executions.find('async.1')).toEqual(
        anExecution('async.1', {
          status: 'succeeded',
          attempt: 2,
          retCode: 0,
          res: 'NDI=',
          startedAtMs: now + 10,
          finishedAtMs: now + 20,
          runtimeId: 'runtime1',
        }),
      );
      expect(await executions.readLogs('async.1')).toBe('hello\n');
    });

    it('keeps any text of a function, with U+FFFD for what databases cannot hold', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('async.1'), parameters);
      const text = 'a\u0000b \ud83d\ude00 \u2028 \ufeff %s $1 ? \\ "';
      await executions.finish('async.1', 0, anOutcome({ status: 'failed', err: text, logs: text }));
      const kept = text.replace('\u0000', '\uFFFD');
      expect(await executions.find('async.1')).toMatchObject({ err: kept });
      expect(await executions.readLogs('async.1')).toBe(kept);
    });

    it('keeps large parameters and results', async () => {
      const { executions } = opened().store;
      const large = Buffer.alloc(3_000_000, 'xyz');
      const res = large.toString('base64');
      await executions.accept(anExecution('async.1'), large);
      await executions.finish('async.1', 0, anOutcome({ res }));
      const hash = (value: Uint8Array | string) => createHash('sha256').update(value).digest('hex');
      expect(hash((await executions.readParameters('async.1')) ?? '')).toBe(hash(large));
      expect(hash((await executions.find('async.1'))?.res ?? '')).toBe(hash(res));
    });

    it('notes progress of the current attempt only', async () => {
      const { executions } = opened().store;
      await executions.accept(anExecution('async.1'), parameters);
      await executions.setProgress('async.1', 0, 100);
      expect((await executions.find('async.1'))?.progressPerMille).toBeUndefined();
      await executions.leaseStart(aLease('async.1'));
      await executions.setProgress('async.1', 1, 250);
      await executions.setProgress('async.1', 2, 500);
      expect((await executions.find('async.1'))?.progressPerMille).toBe(250);
      await executions.leaseStart(aLease('async.1', { redelivered: true }));
      await executions.setProgress('async.1', 1, 750);
      expect((await executions.find('async.1'))?.progressPerMille).toBeUndefined();
      await executions.setProgress('async.1', 2, 5000);
      await executions.finish('async.1', 2, anOutcome());
      await executions.setProgress('async.1', 2, 1);
      expect((await executions.find('async.1'))?.progressPerMille).toBe(1000);
    });

    it('records synchronous executions and never changes a terminal one', async () => {
      const { executions } = opened().store;
      const row = (id: string, status: 'queued' | 'running' | 'succeeded' | 'failed', logs = '') => ({
        execution: anExecution(id, { mode: 'sync', status, ...(status === 'failed' ? { err: 'late' } : {}) }),
        logs,
      });
      await executions.accept(anExecution('async.1'), parameters);
      await executions.record([]);
      await executions.record([row('s1', 'queued'), row('s2', 'running'), row('s3', 'succeeded', 'out')]);
      await executions.record([
        row('s1', 'succeeded', 'first'),
        row('s1', 'failed', 'second'),
        row('s2', 'queued'),
        row('s3', 'failed', 'changed'),
        row('async.1', 'failed'),
      ]);
      expect(await executions.find('s1')).toMatchObject({ status: 'succeeded', finishedAtMs: now });
      expect(await executions.readLogs('s1')).toBe('first');
      expect(await executions.find('s2')).toMatchObject({ status: 'running' });
      expect(await executions.find('s3')).toMatchObject({ status: 'succeeded', err: undefined });
      expect(await executions.readLogs('s3')).toBe('out');
      expect(await executions.find('async.1')).toMatchObject({ status: 'queued', mode: 'async' });
    });

    it('records more rows at once than one statement may carry, from two writers', async () => {
      const { store, openAnother } = opened();
      const other = await openAnother();
      const rows = Array.from({ length: 1500 }, (_, at) => ({
        execution: anExecution(`s${at}`, { mode: 'sync', status: 'succeeded', createdAtMs: now + at }),
        logs: '',
      }));
      await Promise.all([store.executions.record(rows), other.executions.record([...rows].reverse())]);
      const page = await store.executions.list({ owner: 'alice' }, { limit: 2000 });
      expect(page.items).toHaveLength(1500);
    });

    it('lists newest first by owner, status, function, flavour and time, without results', async () => {
      const { executions } = opened().store;
      const add = (id: string, changes: Parameters<typeof anExecution>[1]) =>
        executions.accept(anExecution(id, changes), parameters);
      await add('a', { createdAtMs: now + 1 });
      await add('b', { createdAtMs: now + 2, functionId: 7 });
      await add('c', { createdAtMs: now + 2, flavour: 'City' });
      await add('d', { createdAtMs: now + 3, owner: 'bob' });
      await executions.finish('a', 0, anOutcome());
      const ids = async (filter: Parameters<typeof executions.list>[0]) =>
        (await executions.list(filter, { limit: 10 })).items.map((execution) => execution.id);
      expect(await ids({})).toEqual(['d', 'c', 'b', 'a']);
      expect(await ids({ owner: 'alice' })).toEqual(['c', 'b', 'a']);
      expect(await ids({ owner: 'alice', status: 'succeeded' })).toEqual(['a']);
      expect(await ids({ owner: 'alice', functionId: 7 })).toEqual(['b']);
      expect(await ids({ flavour: 'City' })).toEqual(['c']);
      expect(await ids({ fromMs: now + 2, toMs: now + 3 })).toEqual(['c', 'b']);
      expect(await ids({ owner: 'carol' })).toEqual([]);
      const [first] = (await executions.list({ status: 'succeeded' }, { limit: 1 })).items;
      expect(first).toEqual({ ...(await executions.find('a')), res: undefined });
    });

    it('pages through equal times without a gap or a repetition, while new ones arrive', async () => {
      const { executions } = opened().store;
      const rows = Array.from({ length: 25 }, (_, at) => ({
        execution: anExecution(`s${String(at).padStart(2, '0')}`, {
          mode: 'sync',
          createdAtMs: now + Math.floor(at / 10),
        }),
        logs: '',
      }));
      await executions.record(rows);
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await executions.list({ owner: 'alice' }, { limit: 7, cursor });
        seen.push(...page.items.map((execution) => execution.id));
        cursor = page.nextCursor ?? undefined;
        await executions.accept(anExecution(`new${seen.length}`, { createdAtMs: now + 100 }), parameters);
      } while (cursor !== undefined);
      expect(seen).toEqual(rows.map((row) => row.execution.id).reverse());
    });

    it('refuses a broken cursor as a fault of the request', async () => {
      const { executions } = opened().store;
      for (const cursor of ['', 'x', 'WzFd', Buffer.from('["a",1]').toString('base64url')]) {
        await expect(executions.list({}, { limit: 5, cursor })).rejects.toMatchObject({
          code: 'invalid-request',
          errors: [{ pointer: '/query/cursor' }],
        });
      }
    });
  });

  describe('payloads', () => {
    const opened = useStore(harness);

    it('keeps bytes by their sha256 and forgets what was last put long ago', async () => {
      const { payloads } = opened().store;
      const bytes = Buffer.from('payload');
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      expect(await Promise.all([payloads.put(bytes, now), payloads.put(bytes, now)])).toEqual([
        sha256,
        sha256,
      ]);
      const other = await payloads.put(new Uint8Array(0), now);
      await payloads.put(bytes, now + 10);
      await payloads.purge(now + 10);
      expect(Buffer.from((await payloads.get(sha256)) ?? [])).toEqual(bytes);
      expect(await payloads.get(other)).toBeUndefined();
      expect(await payloads.get('no such')).toBeUndefined();
    });
  });
}
