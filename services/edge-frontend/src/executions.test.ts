import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Answer, Device, request } from './test-support/client.js';
import { echo, type FakeRuntime, runForEver } from './test-support/fake-runtime.js';
import { type EdgeUnderTest, startEdge, until } from './test-support/start-edge.js';

// Each starts a whole frontend with its threads; a busy machine takes its time.
jest.setTimeout(60_000);

const idOf = (answer: Answer): string => answer.json.execution_id;

describe('executions', () => {
  let edge: EdgeUnderTest;
  let runtime: FakeRuntime;
  let device: Device;
  let stranger: Device;
  let root: Device;
  beforeAll(async () => {
    edge = await startEdge();
    runtime = await edge.startRuntime();
    device = await Device.of(edge);
    stranger = await Device.of(edge, 'bob');
    root = await Device.of(edge, 'root', {}, 'administrator');
  });
  afterEach(() => {
    runtime.behaviour = echo;
  });
  afterAll(() => edge.stop());

  const submit = async () => idOf(await device.execute({ mode: 'async' }));

  it('belong to their owner: a foreign one is not there, an administrator sees all', async () => {
    const id = await submit();
    const missing = { status: 404, json: { code: 'execution-not-found' } };
    for (const path of [`/v1/executions/${id}`, `/v1/executions/${id}?wait=1`, `/v1/executions/${id}/logs`])
      expect(await stranger.get(path)).toMatchObject(missing);
    expect(await stranger.cancel(id)).toMatchObject(missing);
    expect(await device.get('/v1/executions/async.0')).toMatchObject(missing);
    expect((await root.get(`/v1/executions/${id}?wait=5`)).json).toMatchObject({
      execution_id: id,
      owner: 'ada',
    });
  });

  it('wake a long poll as soon as they end', async () => {
    let end: () => void = () => undefined;
    runtime.behaviour = async (call) => {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      await echo(call);
    };
    const seen = runtime.seen.length;
    const id = await submit();
    await until('it runs', () => runtime.seen.length > seen);
    const reading = device.get(`/v1/executions/${id}?wait=30`);
    await until('somebody waits', async () => (await edge.metric('long_polls')) === 1);
    end();
    expect((await reading).json).toMatchObject({ status: 'succeeded' });
    expect(await edge.metric('long_polls')).toBe(0);
  });

  it('answer a long poll with what there is when its time is over, or when its reader leaves', async () => {
    runtime.behaviour = runForEver;
    const id = await submit();
    expect((await device.get(`/v1/executions/${id}?wait=0.2`)).json.status).toMatch(/^(queued|running)$/);
    const abort = new AbortController();
    const url = `${edge.url}/v1/executions/${id}?wait=30`;
    const left = request(url, { headers: { token: device.token }, signal: abort.signal }).catch(() => 'left');
    await until('somebody waits', async () => (await edge.metric('long_polls')) === 1);
    abort.abort();
    expect(await left).toBe('left');
    await until('nobody waits', async () => (await edge.metric('long_polls')) === 0);
    await device.cancel(id);
  });

  it('are cancelled while they run, with the log of the runtime; then 409', async () => {
    runtime.behaviour = runForEver;
    const seen = runtime.seen.length;
    const id = await submit();
    await until('it runs', () => runtime.seen.length > seen);
    expect(await device.cancel(id)).toMatchObject({
      status: 202,
      json: { execution_id: id, status: 'cancelled' },
    });
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject({ status: 'cancelled' });
    expect((await device.get(`/v1/executions/${id}/logs`)).text).toBe('stopped');
    expect(await device.cancel(id)).toMatchObject({ status: 409, json: { code: 'execution-finished' } });
  });

  it('are cancelled although their runtime does not listen', async () => {
    let end: () => void = () => undefined;
    runtime.behaviour = async (call) => {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      await call.finish({ ret_code: 0, res: 'MQ==', err: null });
    };
    const seen = runtime.seen.length;
    const id = await submit();
    await until('it runs', () => runtime.seen.length > seen);
    expect((await device.cancel(id)).status).toBe(202);
    end();
    await until(
      'its late result was counted',
      async () => (await edge.metric('results_duplicate_total')) > 0,
    );
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject({ status: 'cancelled' });
  });

  it('are cancelled while they are queued, and never run', async () => {
    runtime.behaviour = runForEver;
    const seen = runtime.seen.length;
    const busy = await submit();
    await until('the runtime is busy', () => runtime.seen.length > seen);
    const id = await submit();
    expect((await device.cancel(id)).status).toBe(202);
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject({
      status: 'cancelled',
      attempt: 0,
    });
    await device.cancel(busy);
    await until('its message was refused', () => runtime.refusedLeases.includes('cancelled'));
    expect(runtime.seen.map(({ executionId }) => executionId)).not.toContain(id);
  });

  it('are cancelled while their caller waits: the caller hears it', async () => {
    runtime.behaviour = runForEver;
    const seen = runtime.seen.length;
    const calling = device.execute();
    await until('it runs', () => runtime.seen.length > seen);
    const id = runtime.seen.at(-1)?.executionId ?? '';
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject({
      status: expect.stringMatching(/queued|running/),
    });
    expect((await device.cancel(id)).status).toBe(202);
    const answer = await calling;
    expect(answer).toMatchObject({ status: 200, json: { ret_code: -1, res: 'bnVsbA==' } });
    expect(answer.json.err).toMatch(/^cancelled: /);
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject({ status: 'cancelled' });
    expect(await device.cancel(id)).toMatchObject({ status: 409 });
  });

  it('are cancelled at another frontend than the one whose caller waits', async () => {
    const other = await startEdge({ cloud: edge.cloud, share: edge });
    try {
      runtime.behaviour = runForEver;
      const seen = runtime.seen.length;
      const calling = device.execute();
      await until('it runs', () => runtime.seen.length > seen);
      const id = runtime.seen.at(-1)?.executionId ?? '';
      await until('it is recorded', async () => (await edge.store.executions.find(id)) !== undefined);
      const url = `${other.url}/v1/executions/${id}`;
      const cancelled = await request(url, { method: 'DELETE', headers: { token: device.token } });
      expect(cancelled.status).toBe(202);
      expect((await calling).json).toMatchObject({
        ret_code: -1,
        err: expect.stringMatching(/^cancelled: /),
      });
    } finally {
      await other.stop();
    }
  });

  it('are listed newest first, by page and by filter, one’s own only', async () => {
    const ids = [];
    for (let i = 0; i < 3; i += 1) {
      ids.unshift(await submit());
      await device.get(`/v1/executions/${ids[0]}?wait=5`);
    }
    const first = await device.get('/v1/executions?limit=2');
    const rest = await device.get(
      `/v1/executions?limit=1&cursor=${encodeURIComponent(first.json.next_cursor)}`,
    );
    const listed = [...first.json.items, ...rest.json.items].map(
      (item: { execution_id: string }) => item.execution_id,
    );
    expect(listed).toEqual(ids);
    const count = async (who: Device, query: string) =>
      (await who.get(`/v1/executions?${query}`)).json.items.length;
    expect(await count(device, 'status=failed')).toBe(0);
    expect(await count(device, `function_id=${device.functionId}&status=succeeded&limit=3`)).toBe(3);
    expect(await count(device, 'function_id=999')).toBe(0);
    expect(await count(device, 'flavour=Other')).toBe(0);
    expect(await count(device, 'to=2001-01-01T00:00:00Z')).toBe(0);
    expect(await count(stranger, '')).toBe(0);
    expect(await count(root, 'limit=3')).toBe(3);
    for (const query of ['limit=0', 'limit=201', 'status=done', 'from=yesterday', 'function_id=0'])
      expect((await device.get(`/v1/executions?${query}`)).status).toBe(422);
    expect((await device.get('/v1/executions/async.1?wait=61')).status).toBe(422);
  });
});

describe('device metrics', () => {
  let edge: EdgeUnderTest;
  let device: Device;
  beforeAll(async () => {
    edge = await startEdge();
    device = await Device.of(edge);
  });
  afterAll(() => edge.stop());
  const report = (body?: string) =>
    request(`${edge.url}/v1/device_metrics`, {
      method: 'POST',
      headers: { token: device.token },
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
    });

  it('become gauges of the device', async () => {
    expect(
      await report('{"device_id":"robot 1","cpu":0.5,"temp °C":40,"note":"x","deep":{"a":1}}'),
    ).toMatchObject({
      status: 200,
      text: 'null',
    });
    const { text } = await edge.metrics.expose();
    expect(text).toContain('device_metric{device="ada/robot_1",name="cpu"} 0.5');
    expect(text).toContain('device_metric{device="ada/robot_1",name="temp__C"} 40');
    expect(text).not.toContain('name="deep"');
  });

  it('may be nothing, and must be an object otherwise', async () => {
    expect(await report()).toMatchObject({ status: 200, text: 'null' });
    for (const body of ['[1]', '1', '"x"', '{']) expect((await report(body)).status).toBe(422);
    expect((await request(`${edge.url}/v1/device_metrics`, { method: 'POST' })).status).toBe(400);
  });
});
