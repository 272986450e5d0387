import { flavourDefinitionSchema, flavourViewSchema } from '@gantry/contracts';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Device, request } from './test-support/client.js';
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

const science = flavourDefinitionSchema.parse({
  name: 'Nature',
  description: 'For science',
  languages: ['PY', 'JS'],
  packages: [{ name: 'Pillow', module: 'PIL', language: 'PY', debian: 'python3-pil' }],
  limits: { executionSeconds: 5, memoryMiB: 512 },
  isolation: 'sandbox',
  slots: 2,
  priority: 3,
});
const available = (language: 'PY' | 'C' | 'JS') => ({ language, available: true });
const lacking = (language: 'PY' | 'C' | 'JS', reason: string) => ({ language, available: false, reason });
const flavoursOf = async (device: Device) =>
  flavourViewSchema.array().parse((await device.get('/v1/flavours')).json);

describe('GET /v1/flavours', () => {
  it('shows what is declared, and how it is at the moment', async () => {
    const edge = await start({ definitions: [science], edge: { flavours: ['Nature', 'Other'] } });
    const device = await Device.of(edge);
    const runtime = await edge.startRuntime();
    const languages = [lacking('PY', 'python3-cloudpickle is not installed'), available('JS')];
    await runtime.announce({ languages, slots: 2, running: 1 });
    await until('announced and counted', async () => {
      const [nature] = await flavoursOf(device);
      return nature?.live.runtimes === 1 && nature.live.slots === 1;
    });
    expect(await flavoursOf(device)).toMatchObject([
      {
        name: 'Nature',
        description: 'For science',
        languages: [
          { language: 'PY', available: false, reason: 'python3-cloudpickle is not installed' },
          { language: 'JS', available: true, reason: null },
        ],
        packages: [{ name: 'Pillow', module: 'PIL', language: 'PY', debian: 'python3-pil' }],
        limits: { execution_seconds: 5, memory_mib: 512, scratch_mib: 64 },
        isolation: { declared: 'sandbox', live: ['sandbox'] },
        network: { allow: [] },
        ...{ slots: 2, priority: 3 },
        live: { runtimes: 1, slots: 1, running: 1 },
        queue: { sync: 0, async: 0, oldest_sync_seconds: 0, oldest_async_seconds: 0 },
      },
      {
        name: 'Other',
        languages: [
          { language: 'PY', available: false, reason: 'no runtime of the flavour is live' },
          { language: 'C', available: false },
          { language: 'JS', available: false },
        ],
        live: { runtimes: 0, slots: 0, running: 0 },
      },
    ]);
    expect(await edge.metric('flavour_running')).toBe(1);
  });

  it('needs a token', async () => {
    const edge = await start();
    expect(await request(`${edge.url}/v1/flavours`)).toMatchObject({
      status: 400,
      json: { code: 'missing-token' },
    });
  });

  it('says how many wait and since when, also for autoscalers', async () => {
    const edge = await start();
    const device = await Device.of(edge);
    await edge.startRuntime(runForEver);
    for (let count = 0; count < 4; count += 1) await device.execute({ mode: 'async' });
    await until('their age', async () => {
      const [nature] = await flavoursOf(device);
      return nature !== undefined && nature.queue.async > 0 && nature.queue.oldest_async_seconds > 0.5;
    });
    expect(await edge.metric('queue_oldest_seconds')).toBeGreaterThan(0.5);
    expect(await edge.metric('queue_messages')).toBeGreaterThan(0);
  });
});

describe('a language that nobody runs', () => {
  it('is a 503 that says why and when to come again, until one runtime has it', async () => {
    const edge = await start();
    const device = await Device.of(edge);
    const [one, other] = [await edge.startRuntime(), await edge.startRuntime()];
    await one.announce({ languages: [lacking('JS', 'node is too old')] });
    await until('refused', async () => (await device.execute()).status === 503);
    for (const mode of ['sync', 'async']) {
      const refused = await device.execute({ mode });
      expect(refused).toMatchObject({
        status: 503,
        json: {
          code: 'language-unavailable',
          detail: 'The flavour "Nature" does not run JS now: node is too old',
        },
      });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    await other.announce({ languages: [available('JS')] });
    await until('accepted', async () => (await device.execute()).status === 200);
    await other.announce();
    await until('refused again', async () => (await device.execute()).status === 503);
    await one.announce();
    await until('unknown, so let through', async () => (await device.execute()).status === 200);
  });

  it('is a 503 at once when the flavour is not declared for it', async () => {
    const edge = await start({ definitions: [{ ...science, languages: ['PY'] }] });
    const device = await Device.of(edge);
    await edge.startRuntime();
    expect(await device.execute()).toMatchObject({
      status: 503,
      json: { code: 'language-unavailable', detail: expect.stringContaining('declared for PY only') },
    });
  });

  it('is known to a frontend that starts later: it asks', async () => {
    const edge = await start();
    const runtime = await edge.startRuntime();
    runtime.status = [{ languages: [lacking('JS', 'node is too old')] }];
    await edge.restart();
    const device = await Device.of(edge);
    await until('refused', async () => (await device.execute()).status === 503);
  });
});

describe('whose function it is', () => {
  it('comes to the runtime when it is not the caller’s own', async () => {
    const edge = await start();
    const runtime = await edge.startRuntime();
    const bob = await Device.of(edge, 'bob');
    const root = await Device.of(edge, 'root', {}, 'administrator');
    for (const { functionId } of [bob, root]) await root.execute({ functionId });
    expect(runtime.seen.map(({ owner, functionOwner }) => [owner, functionOwner])).toEqual([
      ['root', 'bob'],
      ['root', undefined],
    ]);
  });

  it('is still said when an asynchronous execution is published again', async () => {
    const edge = await start();
    const runtime = await edge.startRuntime(runForEver);
    const { functionId } = await Device.of(edge, 'bob');
    await (await Device.of(edge, 'root', {}, 'administrator')).execute({ mode: 'async', functionId });
    await until('taken', () => runtime.seen.length === 1);
    await runtime.stop();
    await edge.restart();
    const next = await edge.startRuntime();
    await until('taken again', () => next.seen.length > 0);
    expect(next.seen[0]).toMatchObject({ mode: 'async', owner: 'root', functionOwner: 'bob' });
  });
});

describe('what a requirement asks of its runtime', () => {
  const asked = { FRESH: true, MAX_MEMORY_MIB: 64, MAX_LOG_BYTES: 100, MAX_FUNCTION_EXECUTION_TIME: 60 };
  const expected = { isFresh: true, limits: { memoryMiB: 64, logBytes: 100 } };

  it('comes to the runtime, within the run time of the flavour; nothing where nothing was asked', async () => {
    const edge = await start({ definitions: [science] });
    const runtime = await edge.startRuntime();
    await (await Device.of(edge, 'ada', asked)).execute();
    await (await Device.of(edge)).execute();
    expect(runtime.seen[0]).toMatchObject({ ...expected, runMs: 5000 });
    expect([runtime.seen[1]?.isFresh, runtime.seen[1]?.limits]).toEqual([undefined, undefined]);
  });

  it('is still asked when an asynchronous execution is published again after a restart of the broker', async () => {
    const edge = await start();
    const runtime = await edge.startRuntime(runForEver);
    await (await Device.of(edge, 'ada', asked)).execute({ mode: 'async' });
    await until('taken', () => runtime.seen.length === 1);
    await runtime.stop();
    await edge.restart();
    const next = await edge.startRuntime();
    await until('taken again', () => next.seen.length > 0);
    expect(next.seen[0]).toMatchObject({ ...expected, mode: 'async', limits: expected.limits });
  });
});
