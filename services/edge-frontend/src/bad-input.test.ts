import { newSigningKey } from '@gantry/tokens';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Device, request } from './test-support/client.js';
import { type EdgeUnderTest, startEdge } from './test-support/start-edge.js';

// Each starts a whole frontend with its threads; a busy machine takes its time.
jest.setTimeout(60_000);

describe('what is refused', () => {
  let edge: EdgeUnderTest;
  let device: Device;
  beforeAll(async () => {
    edge = await startEdge({ edge: { flavours: ['Nature', 'Idle'] } });
    await edge.startRuntime();
    device = await Device.of(edge);
  });
  afterAll(() => edge.stop());

  it.each([
    ['no body', '', '/body'],
    ['a body that is not JSON', '["MQ=="', '/body'],
    ['a body that is no array', '{"0":"MQ=="}', '/body'],
    ['a text', '"MQ=="', '/body'],
    ['an array of numbers', '["MQ==", 1]', '/body/1'],
    ['an array of arrays', '[["MQ=="]]', '/body/0'],
    ['bad base64', '["MQ==","M"]', '/body/1'],
    ['URL-safe base64', '["_-8="]', '/body/0'],
    ['base64 with a blank', '["MQ= ="]', '/body/0'],
  ])('%s', async (_case, body, pointer) => {
    const answer = await device.execute({ body });
    expect(answer).toMatchObject({ status: 422, json: { code: 'invalid-request', errors: [{ pointer }] } });
    expect(answer.json.detail).toContain(pointer);
  });

  it.each([
    ['0', '0'],
    ['-1', '-1'],
    ['1.5', '1.5'],
    ['2^53', '9007199254740992'],
    ['a word', 'one'],
    ['hexadecimal', '0x1'],
  ])('an id that is %s', async (_case, id) => {
    const [inPath, inQuery] = [
      await device.execute({ functionId: id }),
      await device.execute({ requirementId: id }),
    ];
    expect([inPath.status, inQuery.status]).toEqual([422, 422]);
    expect(inPath.json.errors[0].pointer).toBe('/path/id');
    expect(inQuery.json.errors[0].pointer).toBe('/query/app_req_id');
  });

  it.each([
    ['an unknown mode', `app_req_id=1&mode=later`, '/query/mode'],
    ['no mode', `app_req_id=1`, '/query/mode'],
    ['no requirement', `mode=sync`, '/query/app_req_id'],
  ])('%s', async (_case, query, pointer) => {
    const url = `${edge.url}/v1/functions/1/execute?${query}`;
    const answer = await request(url, { method: 'POST', headers: { token: device.token }, body: '[]' });
    expect(answer).toMatchObject({ status: 422, json: { errors: [{ pointer }] } });
  });

  it('a body of 40 MB, and what comes after it on the connection still works', async () => {
    const answer = await device.execute({ body: Buffer.alloc(40_000_000, 0x41) });
    expect(answer).toMatchObject({ status: 413, json: { code: 'body-too-large' } });
    expect((await device.execute()).status).toBe(200);
  });

  it('an unknown, a foreign and a wrong-type document, all alike', async () => {
    const other = await Device.of(edge, 'bob');
    const missing = { status: 404, json: { code: 'document-not-found' } };
    expect(await device.execute({ functionId: 999 })).toMatchObject(missing);
    expect(await device.execute({ requirementId: 999 })).toMatchObject(missing);
    // Cached by its owner or not: both times.
    expect(await device.execute({ functionId: other.functionId })).toMatchObject(missing);
    expect((await other.execute()).status).toBe(200);
    expect(await device.execute({ functionId: other.functionId })).toMatchObject(missing);
    expect(await device.execute({ requirementId: other.requirementId })).toMatchObject(missing);
    expect(await device.execute({ functionId: device.requirementId })).toMatchObject(missing);
    expect(await device.execute({ requirementId: device.functionId })).toMatchObject(missing);
  });

  it('but not for an administrator, who may use what belongs to others', async () => {
    const other = await Device.of(edge, 'bob');
    const root = await Device.of(edge, 'root', {}, 'administrator');
    expect((await root.execute({ functionId: other.functionId })).status).toBe(200);
  });

  it.each(['sync', 'async'])('a flavour that nobody serves, or nobody knows (%s)', async (mode) => {
    for (const FLAVOUR of ['Idle', 'Unknown', 'with.dot', '']) {
      const own = await Device.of(edge, 'ada', { FLAVOUR });
      expect(await own.execute({ mode })).toMatchObject({
        status: 503,
        json: { code: 'no-runtime-for-flavour', retry_after_ms: 1000 },
      });
    }
    const page = await device.get('/v1/executions?flavour=Idle');
    expect(page.json.items).toEqual([]);
  });

  it('no token', async () => {
    const headers = { token: '' };
    expect(await device.execute({ headers })).toMatchObject({
      status: 400,
      json: { code: 'missing-token', detail: 'Missing token in header' },
    });
  });

  it.each([
    ['rubbish', async () => 'rubbish'],
    ['of 16 KB', async () => 'A'.repeat(16 * 1024)],
    ['of another key', async () => (await edge.cloud.issue('ada', { keys: [newSigningKey(1)] })).token],
    ['of an unknown key', async () => (await edge.cloud.issue('ada', { keys: [newSigningKey(9)] })).token],
    ['that has expired', async () => (await edge.cloud.issue('ada', { lifetimeMs: -10_000 })).token],
  ])('a token %s', async (_case, make) => {
    const headers = { token: await make() };
    expect((await device.execute({ headers })).status).toBe(401);
  });

  it('a stranger who asks for payloads', async () => {
    const url = `${edge.url}/internal/v1/payloads/${'0'.repeat(64)}`;
    const as = (authorization: string) => request(url, { headers: { authorization } });
    const refused = { status: 401, json: { code: 'invalid-service-credential' } };
    expect(await request(url)).toMatchObject(refused);
    expect(await as('Bearer wrong')).toMatchObject(refused);
    expect(await as(`Bearer ${device.token}`)).toMatchObject(refused);
  });

  it('a payload that is not there, for a runtime', async () => {
    const headers = { authorization: 'Bearer credential-of-the-runtimes' };
    const answer = await request(`${edge.url}/internal/v1/payloads/${'0'.repeat(64)}`, { headers });
    expect(answer).toMatchObject({ status: 404, json: { code: 'payload-not-found' } });
    await expect(edge.edge.payloads.fetch('0'.repeat(64))).rejects.toMatchObject({
      code: 'payload-not-found',
    });
  });

  it('more than the limits of an account and of the process allow', async () => {
    const busy = await startEdge({
      edge: { concurrentCallsPerUser: 1, asyncCallsPerSecondPerUser: 2, maxCallsInFlight: 2 },
    });
    try {
      const runtime = await busy.startRuntime();
      const [ada, bob, eve] = [
        await Device.of(busy),
        await Device.of(busy, 'bob'),
        await Device.of(busy, 'eve'),
      ];
      let open: () => void = () => undefined;
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      runtime.behaviour = async (call) => {
        await opened;
        await call.finish({ ret_code: 0, res: '', err: null });
      };
      const first = ada.execute();
      while ((await busy.metric('calls_waiting')) < 1) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await ada.execute()).toMatchObject({ status: 429, json: { code: 'too-many-concurrent' } });
      const second = bob.execute();
      while ((await busy.metric('calls_waiting')) < 2) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await eve.execute()).toMatchObject({ status: 503, json: { code: 'edge-overloaded' } });
      open();
      expect([(await first).status, (await second).status]).toEqual([200, 200]);
      const submitted = [];
      for (let i = 0; i < 3; i += 1) submitted.push(await eve.execute({ mode: 'async' }));
      expect(submitted.map(({ status }) => status)).toEqual([202, 202, 429]);
      expect(submitted[2]).toMatchObject({ json: { code: 'too-many-requests' } });
      expect(Number(submitted[2]?.headers.get('retry-after'))).toBeGreaterThan(0);
    } finally {
      await busy.stop();
    }
  });
});
