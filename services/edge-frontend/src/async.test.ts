import { encodeResult, exchanges } from '@gantry/broker';
import { AppError, silentLogger, systemClock } from '@gantry/kernel';
import type { Store } from '@gantry/store';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { SteeredBroker } from './test-support/broker-with.js';
import { type Answer, Device } from './test-support/client.js';
import { echo, runForEver } from './test-support/fake-runtime.js';
import { type EdgeTestOptions, type EdgeUnderTest, startEdge, until } from './test-support/start-edge.js';
import { Reaper } from './usecases/reap-executions.js';

// Each starts a whole frontend with its threads; a busy machine takes its time.
jest.setTimeout(60_000);

const open: EdgeUnderTest[] = [];
const start = async (options?: EdgeTestOptions) => {
  const edge = await startEdge(options);
  open.push(edge);
  return edge;
};
const startSteered = async (options?: EdgeTestOptions) => {
  let broker!: SteeredBroker;
  const wrapBroker: EdgeTestOptions['wrapBroker'] = (inner) => {
    broker = new SteeredBroker(inner);
    return broker;
  };
  return { edge: await start({ ...options, wrapBroker }), broker };
};
afterEach(async () => {
  for (const edge of open.splice(0)) await edge.stop();
});
const idOf = (answer: Answer): string => answer.json.execution_id;

/** The same clock, ahead by as much as a test says. */
const movableClock = () => {
  const clock = {
    aheadMs: 0,
    now: () => systemClock.now() + clock.aheadMs,
    monotonicMs: systemClock.monotonicMs,
  };
  return clock;
};

describe('an asynchronous execution', () => {
  it('is a 202 with its place, and ends as the runtime says', async () => {
    const edge = await start();
    const runtime = await edge.startRuntime((call) =>
      call.finish({ ret_code: 0, res: call.parameters[0] ?? '', err: null }, { log: 'done' }),
    );
    const device = await Device.of(edge);
    const accepted = await device.execute({ mode: 'async' });
    expect(accepted).toMatchObject({ status: 202, json: { status: 'queued' } });
    const id = idOf(accepted);
    expect(id).toMatch(/^async\.[0-9a-f-]{36}$/);
    expect(accepted.headers.get('location')).toBe(`/v1/executions/${id}`);
    expect(accepted.headers.get('x-execution-id')).toBe(id);
    const read = await device.get(`/v1/executions/${id}?wait=10`);
    expect(read.json).toMatchObject({
      ...{
        execution_id: id,
        status: 'succeeded',
        mode: 'async',
        ret_code: 0,
        res: 'MQ==',
        err: null,
        attempt: 1,
      },
      ...{
        function_id: device.functionId,
        app_req_id: device.requirementId,
        language: 'JS',
        flavour: 'Nature',
      },
    });
    expect((await device.get(`/v1/executions/${id}/logs`)).text).toBe('done');
    expect(runtime.seen[0]).toMatchObject({ mode: 'async', queueMs: 3_600_000, runMs: 60_000 });
  });

  it('is asked for by Prefer: respond-async too', async () => {
    const edge = await start();
    await edge.startRuntime();
    const device = await Device.of(edge);
    const answer = await device.execute({ headers: { prefer: 'respond-async' } });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBe('respond-async');
  });

  it('is a 200 with Prefer: wait when it ends in time, else a 202', async () => {
    const edge = await start();
    const runtime = await edge.startRuntime();
    const device = await Device.of(edge);
    const prefer = { prefer: 'respond-async, wait=20' };
    const ended = await device.execute({ mode: 'async', headers: prefer });
    expect(ended).toMatchObject({ status: 200, json: { ret_code: 0, res: 'MQ==', err: null } });
    expect(ended.headers.get('preference-applied')).toBe('respond-async, wait=20');
    runtime.behaviour = runForEver;
    const pending = await device.execute({ headers: { prefer: 'wait=1' } });
    expect(pending).toMatchObject({ status: 202, json: { status: 'running' } });
    expect(pending.headers.get('location')).toBe(`/v1/executions/${idOf(pending)}`);
    await device.cancel(idOf(pending));
  });

  it('is not accepted when the broker refuses it', async () => {
    const { edge, broker } = await startSteered();
    await edge.startRuntime();
    const device = await Device.of(edge);
    for (const [outcome, code] of [
      ['unroutable', 'no-runtime-for-flavour'],
      ['rejected', 'queue-full'],
    ] as const) {
      broker.steer = ({ exchange }) => (exchange === exchanges.requests ? outcome : undefined);
      expect(await device.execute({ mode: 'async' })).toMatchObject({ status: 503, json: { code } });
    }
    expect((await device.get('/v1/executions')).json.items).toEqual([]);
  });

  it('is accepted when the broker does not answer after the store did, and published later', async () => {
    const { edge, broker } = await startSteered();
    const runtime = await edge.startRuntime();
    const device = await Device.of(edge);
    broker.steer = ({ exchange }) => (exchange === exchanges.requests ? 'unavailable' : undefined);
    const large = JSON.stringify([Buffer.alloc(1_500_000).toString('base64')]);
    const [small, big] = [
      await device.execute({ mode: 'async' }),
      await device.execute({ mode: 'async', body: large }),
    ];
    expect([small.status, big.status]).toEqual([202, 202]);
    expect(runtime.seen).toEqual([]);
    broker.steer = () => undefined;
    for (const id of [idOf(small), idOf(big)])
      expect((await device.get(`/v1/executions/${id}?wait=20`)).json).toMatchObject({
        status: 'succeeded',
        attempt: 1,
      });
    expect(runtime.seen.filter(({ parametersSha256 }) => parametersSha256 !== undefined)).toHaveLength(1);
    expect(await edge.metric('executions_republished_total')).toBe(2);
  });

  it('that was published twice runs once', async () => {
    const { edge, broker } = await startSteered();
    const runtime = await edge.startRuntime();
    const device = await Device.of(edge);
    broker.steer = async (message) => {
      if (message.exchange === exchanges.requests) await broker.inner.publish(message, { timeoutMs: 1000 });
      return undefined;
    };
    const id = idOf(await device.execute({ mode: 'async' }));
    await until('the second was refused', () => runtime.refusedLeases.length === 1);
    expect(runtime.seen.filter(({ executionId }) => executionId === id)).toHaveLength(1);
    expect((await device.get(`/v1/executions/${id}?wait=5`)).json).toMatchObject({
      status: 'succeeded',
      attempt: 1,
    });
  });

  it('runs again when its runtime goes, and is dead after three starts', async () => {
    const edge = await start();
    const device = await Device.of(edge);
    const never = () => new Promise<void>(() => undefined);
    const first = await edge.startRuntime(never);
    const id = idOf(await device.execute({ mode: 'async' }));
    await until('the first has it', () => first.seen.length === 1);
    const second = await edge.startRuntime(never);
    await first.stop();
    await until('the second has it', () => second.seen.length === 1);
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject({ status: 'running', attempt: 2 });
    const third = await edge.startRuntime(never);
    await second.stop();
    await until('the third has it', () => third.seen.length === 1);
    await edge.startRuntime(never);
    await third.stop();
    const ended = await device.get(`/v1/executions/${id}?wait=10`);
    expect(ended.json).toMatchObject({
      status: 'dead',
      attempt: 3,
      err: expect.stringContaining('worker-lost'),
    });
  });

  it('has one end: a second one is counted and changes nothing', async () => {
    const edge = await start();
    const runtime = await edge.startRuntime();
    const device = await Device.of(edge);
    const id = idOf(await device.execute({ mode: 'async' }));
    await device.get(`/v1/executions/${id}?wait=10`);
    const again = { executionId: id, attempt: 1, runtimeId: runtime.id };
    const result = Buffer.from('{"ret_code":-1,"res":"","err":"late"}');
    const message = encodeResult({
      kind: 'finished',
      ...again,
      status: 'failed',
      result,
      log: Buffer.alloc(0),
    });
    await edge.broker.publish(message, { timeoutMs: 1000 });
    await until('it was counted', async () => (await edge.metric('results_duplicate_total')) === 1);
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject({ status: 'succeeded', err: null });
  });

  it('reports its progress', async () => {
    const edge = await start();
    await edge.startRuntime(async (call) => {
      await call.progress(250);
      await call.cancelled;
      await call.finish({ ret_code: -1, res: '', err: 'cancelled: ' }, { status: 'cancelled' });
    });
    const device = await Device.of(edge);
    const id = idOf(await device.execute({ mode: 'async' }));
    await until('it shows', async () => (await device.get(`/v1/executions/${id}`)).json.progress === 0.25);
    await device.cancel(id);
  });

  it('survives a frontend that stops, and a broker that forgets', async () => {
    const edge = await start();
    const device = await Device.of(edge);
    const never = () => new Promise<void>(() => undefined);
    const runtime = await edge.startRuntime(never);
    const id = idOf(await device.execute({ mode: 'async' }));
    await until('it runs', () => runtime.seen.length === 1);
    runtime.behaviour = echo;
    // The in-process broker is not durable: a new frontend queues everything unfinished again.
    await edge.restart();
    const second = await edge.startRuntime();
    await runtime.stop();
    const ended = await (await Device.of(edge)).get(`/v1/executions/${id}?wait=20`);
    expect(ended.json).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(second.seen).toHaveLength(1);
  });

  it('expires when no runtime takes it before its time is over', async () => {
    const edge = await start({ edge: { asyncQueueSeconds: 1 } });
    const runtime = await edge.startRuntime(runForEver);
    const device = await Device.of(edge);
    const busy = idOf(await device.execute({ mode: 'async' }));
    await until('the runtime is busy', () => runtime.seen.length === 1);
    const answer = await device.execute({ headers: { prefer: 'wait=20' } });
    expect(answer).toMatchObject({ status: 504, json: { code: 'queue-timeout' } });
    const id = answer.headers.get('x-execution-id');
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject({ status: 'expired' });
    await device.cancel(busy);
  });

  it('that a runtime cannot read is dead; what else dies is only counted', async () => {
    const { edge, broker } = await startSteered();
    await edge.startRuntime();
    const device = await Device.of(edge);
    broker.steer = (message) =>
      message.exchange === exchanges.requests
        ? broker.inner.publish({ ...message, headers: { ...message.headers, v: 99 } }, { timeoutMs: 1000 })
        : undefined;
    const id = idOf(await device.execute({ mode: 'async' }));
    expect((await device.get(`/v1/executions/${id}?wait=10`)).json).toMatchObject({
      status: 'dead',
      err: expect.stringContaining('rejected'),
    });
    const rubbish = { exchange: exchanges.results, routingKey: 'async.rubbish', messageId: 'async.rubbish' };
    await broker.inner.publish(
      { ...rubbish, headers: {}, content: Buffer.alloc(3), persistent: true },
      { timeoutMs: 1000 },
    );
    await until('both were counted', async () => (await edge.metric('dead_letters_total')) === 2);
    expect(await edge.metric('messages_unreadable_total')).toBe(1);
  });

  it('is not promised while the store does not take it, and its result waits for the store', async () => {
    let isDown: boolean = false;
    const refuse = () => Promise.reject(new AppError('store-unavailable'));
    const wrapStore = (store: Store): Store => ({
      ...store,
      executions: new Proxy(store.executions, {
        get: (target, key) => (isDown ? refuse : Reflect.get(target, key)),
      }),
    });
    const edge = await start({ wrapStore });
    let end: () => void = () => undefined;
    const runtime = await edge.startRuntime(async (call) => {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      await call.finish({ ret_code: 0, res: 'MQ==', err: null });
    });
    const device = await Device.of(edge);
    const id = idOf(await device.execute({ mode: 'async' }));
    await until('it runs', () => runtime.seen.length === 1);
    isDown = true;
    const refused = { status: 503, json: { code: 'store-unavailable' } };
    expect(await device.execute({ mode: 'async' })).toMatchObject(refused);
    expect(await device.get(`/v1/executions/${id}`)).toMatchObject(refused);
    end();
    await new Promise((resolve) => setTimeout(resolve, 300));
    isDown = false;
    expect((await device.get(`/v1/executions/${id}?wait=20`)).json).toMatchObject({
      status: 'succeeded',
      res: 'MQ==',
    });
  });

  it('is 410 once its result was kept for its time, and 404 for everybody else all along', async () => {
    const clock = movableClock();
    const edge = await start({ clock, edge: { retentionDays: 1 } });
    await edge.startRuntime();
    const device = await Device.of(edge);
    const id = idOf(await device.execute({ mode: 'async' }));
    await device.get(`/v1/executions/${id}?wait=10`);
    await edge.store.executions.purge({ finishedBeforeMs: Date.now() + 1000, dropBeforeMs: 0 });
    for (const path of [`/v1/executions/${id}`, `/v1/executions/${id}/logs`])
      expect(await device.get(path)).toMatchObject({ status: 410, json: { code: 'result-expired' } });
    expect(await device.cancel(id)).toMatchObject({ status: 410 });
    const stranger = await Device.of(edge, 'bob');
    expect(await stranger.get(`/v1/executions/${id}`)).toMatchObject({ status: 404 });
  });

  it('is purged by the reaper after its retention', async () => {
    const edge = await start();
    await edge.startRuntime();
    const device = await Device.of(edge);
    const id = idOf(await device.execute({ mode: 'async' }));
    await device.get(`/v1/executions/${id}?wait=10`);
    const clock = movableClock();
    clock.aheadMs = 8 * 86_400_000;

    const reaper = new Reaper({
      ...{ broker: edge.broker, store: edge.store, clock, maxAttempts: 3, runGraceMs: 1000 },
      logger: silentLogger,
      ...{ retentionMs: 7 * 86_400_000, payloadMs: 86_400_000, onRepublished: () => undefined },
    });
    await reaper.run();
    expect(await device.get(`/v1/executions/${id}`)).toMatchObject({ status: 410 });
  });
});
