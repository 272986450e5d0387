import { createHash, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Device, request } from './test-support/client.js';
import { echo, type FakeRuntime } from './test-support/fake-runtime.js';
import {
  base64,
  type EdgeUnderTest,
  runtimeCredential,
  startEdge,
  until,
} from './test-support/start-edge.js';

// Each starts a whole frontend with its threads; a busy machine takes its time.
jest.setTimeout(60_000);

describe('a synchronous call', () => {
  let edge: EdgeUnderTest;
  let runtime: FakeRuntime;
  let device: Device;
  beforeAll(async () => {
    edge = await startEdge();
    runtime = await edge.startRuntime();
    device = await Device.of(edge);
  });
  afterEach(() => {
    runtime.behaviour = echo;
  });
  afterAll(() => edge.stop());

  it('answers the bytes of the runtime as they are, with the id of the execution', async () => {
    const answer = await device.execute({ body: JSON.stringify([base64(42)]) });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(JSON.stringify({ ret_code: 0, res: base64(42), err: null }));
    expect(answer.headers.get('x-execution-id')).toBe(runtime.seen.at(-1)?.executionId);
    expect(answer.headers.get('content-type')).toBe('application/json');
  });

  it('takes the token from Authorization too', async () => {
    const headers = { token: '', authorization: `Bearer ${device.token}` };
    expect((await device.execute({ headers })).status).toBe(200);
  });

  it("forwards the caller's own bytes", async () => {
    const body = ' [ "MQ==" ,\n"\\u004d\\u0067==" ] ';
    expect((await device.execute({ body })).status).toBe(200);
    expect(runtime.contents.at(-1)?.toString()).toBe(body);
  });

  it('accepts no parameter, and any content type', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await device.execute({ body: '[]', headers })).json).toEqual({ ret_code: 0, res: '', err: null });
  });

  it('answers 200 when the function failed', async () => {
    runtime.behaviour = (call) => call.finish({ ret_code: -1, res: 'bnVsbA==', err: 'function-error: no' });
    expect(await device.execute()).toMatchObject({
      status: 200,
      json: { ret_code: -1, err: 'function-error: no' },
    });
  });

  it('tells the runtime who asks for what, and which run limit holds', async () => {
    const own = await Device.of(edge, 'bob', { MAX_FUNCTION_EXECUTION_TIME: 2.5 });
    await own.execute({ headers: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } });
    const seen = runtime.seen.at(-1);
    expect(seen).toMatchObject({
      mode: 'sync',
      flavour: 'Nature',
      owner: 'bob',
      functionId: own.functionId,
      requirementId: own.requirementId,
      language: 'JS',
      runMs: 2500,
      queueMs: 30_000,
    });
    expect(seen?.traceparent).toMatch(new RegExp(`^00-${'a'.repeat(32)}-(?!b{16})[0-9a-f]{16}-01$`));
  });

  it.each([
    ['was not sent', {}, 60_000],
    ['is above the cap', { MAX_FUNCTION_EXECUTION_TIME: 100_000 }, 900_000],
    ['was sent as 1', { MAX_FUNCTION_EXECUTION_TIME: 1 }, 1000],
  ])('runs for its limit when it %s', async (_case, requirement, runMs) => {
    const own = await Device.of(edge, 'eve', requirement);
    await own.execute();
    expect(runtime.seen.at(-1)?.runMs).toBe(runMs);
  });

  it('has put the code where the runtime finds it, over HTTP and in process', async () => {
    await device.execute();
    const sha256 = runtime.seen.at(-1)?.functionSha256 ?? '';
    const headers = { authorization: `Bearer ${runtimeCredential}` };
    const fetched = await request(`${edge.url}/internal/v1/payloads/${sha256}`, { headers });
    expect(fetched).toMatchObject({ status: 200, text: 'export default (x) => x' });
    expect((await edge.edge.payloads.fetch(sha256)).toString()).toBe(fetched.text);
  });

  it('sends large parameters as a claim check: 20 MB of base64 work', async () => {
    const body = JSON.stringify([randomBytes(20_000_000).toString('base64')]);
    runtime.behaviour = (call) => call.finish({ ret_code: 0, res: 'b2s=', err: null });
    expect((await device.execute({ body })).status).toBe(200);
    const sha256 = createHash('sha256').update(body).digest('hex');
    expect(runtime.seen.at(-1)?.parametersSha256).toBe(sha256);
    expect(runtime.contents.at(-1)).toHaveLength(0);
    expect((await edge.edge.payloads.fetch(sha256)).equals(Buffer.from(body))).toBe(true);
  });

  it('can be read and listed afterwards, with its log', async () => {
    runtime.behaviour = (call) => call.finish({ ret_code: 0, res: 'MQ==', err: null }, { log: 'hello\n' });
    const id = (await device.execute()).headers.get('x-execution-id') ?? '';
    const view = { execution_id: id, status: 'succeeded', mode: 'sync', res: 'MQ==', attempt: 1 };
    expect((await device.get(`/v1/executions/${id}`)).json).toMatchObject(view);
    expect((await device.get('/v1/executions?limit=1')).json.items[0]).toMatchObject({
      execution_id: id,
      res: null,
    });
    expect((await device.get(`/v1/executions/${id}/logs`)).text).toBe('hello\n');
    await until('the record is written', async () => (await edge.store.executions.find(id))?.res === 'MQ==');
    expect((await device.get(`/v1/executions/${id}/logs`)).text).toBe('hello\n');
  });

  it('leaves nothing behind: no waiter, no call in flight', async () => {
    await device.execute();
    expect(await edge.metric('calls_waiting')).toBe(0);
    await until('nothing is in flight', async () => (await edge.metric('calls_in_flight')) === 0);
    expect(await edge.metric('call_bytes_in_flight')).toBe(0);
    expect(await edge.metric('executions_total')).toBeGreaterThan(0);
  });

  it('goes on when its caller leaves, and is recorded', async () => {
    let end: () => void = () => undefined;
    runtime.behaviour = async (call) => {
      await call.started();
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      await call.finish({ ret_code: 0, res: 'MQ==', err: null });
    };
    const before = runtime.seen.length;
    const abort = new AbortController();
    const gone = device.execute({ signal: abort.signal }).catch((error: Error) => error.name);
    await until('it runs', () => runtime.seen.length > before);
    abort.abort();
    expect(await gone).toBe('AbortError');
    end();
    const id = runtime.seen.at(-1)?.executionId ?? '';
    await until('it is recorded', async () => (await edge.store.executions.find(id))?.status === 'succeeded');
    expect(await edge.metric('calls_waiting')).toBe(0);
  });
});
