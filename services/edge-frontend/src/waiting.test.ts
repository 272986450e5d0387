import { type Broker, buildFlavourTopology, queues } from '@gantry/broker';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { SteeredBroker } from './test-support/broker-with.js';
import { Device } from './test-support/client.js';
import { runForEver } from './test-support/fake-runtime.js';
import { type EdgeTestOptions, type EdgeUnderTest, startEdge, until } from './test-support/start-edge.js';

// Each starts a whole frontend with its threads; a busy machine takes its time.
jest.setTimeout(60_000);

const open: EdgeUnderTest[] = [];
const start = async (options?: EdgeTestOptions) => {
  const edge = await startEdge(options);
  open.push(edge);
  return edge;
};
afterEach(async () => {
  for (const edge of open.splice(0)) await edge.stop();
});

describe('a synchronous call that does not get its result', () => {
  it('is 504 when no runtime is free in time; its late result is nobody’s', async () => {
    const edge = await start({ edge: { syncQueueSeconds: 1 } });
    const device = await Device.of(edge);
    let end: () => void = () => undefined;
    const runtime = await edge.startRuntime(async (call) => {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      await call.finish({ ret_code: 0, res: '', err: null });
    });
    const answer = await device.execute();
    expect(answer).toMatchObject({ status: 504, json: { code: 'queue-timeout' } });
    const id = answer.headers.get('x-execution-id') ?? '';
    expect(id).toBe(runtime.seen[0]?.executionId);
    end();
    await until('the late result came', async () => (await edge.metric('results_unclaimed_total')) === 1);
    expect(await edge.metric('calls_waiting')).toBe(0);
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject({ status: 'expired' });
    await until('it is recorded', async () => (await edge.store.executions.find(id))?.status === 'expired');
  });

  it('that was given up is not run by a runtime that is free later', async () => {
    const edge = await start({ edge: { syncQueueSeconds: 1 } });
    const device = await Device.of(edge);
    let end: () => void = () => undefined;
    const runtime = await edge.startRuntime(async (call) => {
      await call.started();
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      await call.finish({ ret_code: 0, res: '', err: null });
    });
    const first = device.execute();
    await until('the first runs', () => runtime.seen.length === 1);
    expect((await device.execute()).status).toBe(504);
    end();
    expect((await first).status).toBe(200);
    await until('the queue is empty', async () => {
      const state = await edge.broker.inspect(queues.execute('Nature', 'sync'));
      return state?.messages === 0;
    });
    expect(runtime.seen).toHaveLength(1);
  });

  it('is a 200 with worker-lost when it started and no result came', async () => {
    const edge = await start({ edge: { runGraceMs: 200 } });
    await edge.startRuntime(runForEver);
    const device = await Device.of(edge, 'ada', { MAX_FUNCTION_EXECUTION_TIME: 0.1 });
    const answer = await device.execute();
    expect(answer).toMatchObject({ status: 200, json: { ret_code: -1, res: 'bnVsbA==' } });
    expect(answer.json.err).toMatch(/^worker-lost: /);
  });

  it('is a 200 with worker-lost when its runtime went and another one got it again', async () => {
    const edge = await start();
    const device = await Device.of(edge);
    const first = await edge.startRuntime(runForEver);
    const answer = device.execute();
    await until('it runs', () => first.seen.length === 1);
    const second = await edge.startRuntime();
    await first.stop();
    expect((await answer).json).toMatchObject({ ret_code: -1, err: expect.stringMatching(/^worker-lost: /) });
    expect(second.seen).toHaveLength(0);
  });

  it('is 503 within a second when the last runtime goes while it is queued', async () => {
    const edge = await start();
    const device = await Device.of(edge);
    const runtime = await edge.startRuntime(runForEver);
    const running = device.execute();
    await until('one runs', () => runtime.seen.length === 1);
    const queued = device.execute();
    await until('one is queued', async () => (await edge.metric('calls_waiting')) === 2);
    await until(
      'the runtime said that it started',
      async () => (await edge.metric('queue_oldest_seconds')) < 5,
    );
    await runtime.stop();
    const stoppedMs = performance.now();
    expect(await queued).toMatchObject({ status: 503, json: { code: 'no-runtime-for-flavour' } });
    const tookMs = performance.now() - stoppedMs;
    expect(await device.execute()).toMatchObject({ status: 503, json: { code: 'no-runtime-for-flavour' } });
    // The bound is promised to callers; ten times of it still tells a lost wake-up from a slow machine.
    expect(tookMs).toBeLessThan(10_000);
    await edge.startRuntime();
    // What was running is given up by its own deadline or answered as lost by the new runtime.
    expect((await running).json).toMatchObject({ ret_code: -1 });
  });

  it('works again as soon as a runtime is back, without waiting for a poll', async () => {
    const edge = await start();
    const device = await Device.of(edge);
    expect((await device.execute()).status).toBe(503);
    await edge.startRuntime();
    expect((await device.execute()).status).toBe(200);
  });

  it('keeps a flavour ready while a runtime is being replaced', async () => {
    const edge = await start();
    const runtime = await edge.startRuntime();
    const ready = async () => (await fetch(`${edge.url}/readyz`)).status;
    await until('it is ready', async () => (await ready()) === 200);
    await runtime.stop();
    await until('the loss was seen', async () => (await edge.metric('flavour_runtimes')) === 0);
    expect(await ready()).toBe(200);
    await edge.startRuntime();
    await until('the new one was seen', async () => (await edge.metric('flavour_runtimes')) === 1);
    expect(await ready()).toBe(200);
  });
});

describe('a call that the broker does not take', () => {
  it.each([
    ['unroutable', 'no-runtime-for-flavour'],
    ['rejected', 'queue-full'],
    ['unavailable', 'broker-unavailable'],
  ] as const)('is 503 when it is %s', async (outcome, code) => {
    let broker!: SteeredBroker;
    const edge = await start({
      wrapBroker: (inner) => {
        broker = new SteeredBroker(inner);
        return broker;
      },
    });
    await edge.startRuntime();
    const device = await Device.of(edge);
    broker.steer = ({ exchange }) => (exchange === 'requests.v1' ? outcome : undefined);
    expect(await device.execute()).toMatchObject({ status: 503, json: { code } });
    expect(await edge.metric('calls_waiting')).toBe(0);
    broker.steer = () => undefined;
    expect((await device.execute()).status).toBe(200);
    expect((await device.get('/v1/executions')).json.items).toHaveLength(1);
  });

  it('is answered with its result when that comes before a lost confirm', async () => {
    let broker!: SteeredBroker;
    const edge = await start({
      wrapBroker: (inner) => {
        broker = new SteeredBroker(inner);
        return broker;
      },
    });
    await edge.startRuntime();
    const device = await Device.of(edge);
    broker.steer = async (message) => {
      if (message.exchange !== 'requests.v1') return undefined;
      await broker.inner.publish(message, { timeoutMs: 1000 });
      await new Promise((resolve) => setTimeout(resolve, 100));
      return 'unavailable';
    };
    expect((await device.execute()).status).toBe(200);
  });

  it.each(['connecting', 'blocked'] as const)(
    'is 503 at once while the broker is %s, and nothing is accepted',
    async (status) => {
      let broker!: SteeredBroker;
      const edge = await start({
        wrapBroker: (inner) => {
          broker = new SteeredBroker(inner);
          return broker;
        },
      });
      const runtime = await edge.startRuntime();
      const device = await Device.of(edge);
      broker.statusOverride = status;
      for (const mode of ['sync', 'async'])
        expect(await device.execute({ mode })).toMatchObject({
          status: 503,
          json: { code: 'broker-unavailable' },
        });
      const probe = await fetch(`${edge.url}/readyz`);
      expect(probe.status).toBe(503);
      expect(await probe.json()).toMatchObject({
        checks: expect.arrayContaining([expect.objectContaining({ name: 'broker' })]),
      });
      expect((await fetch(`${edge.url}/livez`)).status).toBe(200);
      broker.statusOverride = undefined;
      expect((await device.get('/v1/executions')).json.items).toEqual([]);
      expect(runtime.seen).toHaveLength(0);
    },
  );

  it('is 503 queue-full when the queue really is full', async () => {
    const edge = await start();
    const device = await Device.of(edge);
    const runtime = await edge.startRuntime(runForEver);
    const running = device.execute();
    await until('one runs', () => runtime.seen.length === 1);
    const limit = buildFlavourTopology('Nature').queues[0]?.maxMessages ?? 0;
    const filler: Broker = edge.server.connect();
    const message = {
      ...{ exchange: 'requests.v1', routingKey: 'Nature.sync', messageId: 'filler', headers: {} },
      ...{ content: Buffer.alloc(0), persistent: false },
    };
    for (let i = 0; i <= limit; i += 1) await filler.publish(message, { timeoutMs: 1000 });
    expect(await device.execute()).toMatchObject({ status: 503, json: { code: 'queue-full' } });
    const [first] = (await device.get('/v1/executions')).json.items;
    await device.cancel(first.execution_id);
    expect((await running).json).toMatchObject({ ret_code: -1 });
    await filler.close();
  });
});
