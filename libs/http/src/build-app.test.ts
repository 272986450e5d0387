import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { problemSchema } from '@gantry/contracts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startEchoService } from './echo-service.fixture.js';

let service: Awaited<ReturnType<typeof startEchoService>>;
beforeAll(async () => {
  service = await startEchoService();
});
afterAll(() => service.stop());

const call = (path: string, init: RequestInit = {}) =>
  fetch(service.url + path, { ...init, signal: AbortSignal.timeout(5000) });
const post = (path: string, body: string, headers: Record<string, string> = { token: 'good' }) =>
  call(path, { method: 'POST', body, headers });

async function problemOf(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const problem = problemSchema.parse(await response.json());
  expect(problem.status).toBe(response.status);
  expect(problem.type).toBe(`/problems/${problem.code}`);
  expect(problem.request_id).toBe(response.headers.get('x-request-id'));
  return problem;
}

/** Writes raw bytes and reads until the server closes the connection. */
async function exchange(text: string): Promise<string> {
  const socket = connect(service.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString();
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('bodies', () => {
  it('are read whatever the content type says, also without one', async () => {
    for (const headers of [{}, { 'content-type': 'text/plain' }, { 'content-type': 'application/json' }]) {
      const response = await post('/v1/notes/1', '{"text":"hello"}', { token: 'good', ...headers });
      expect([response.status, await response.json()]).toEqual([200, { text: 'hello' }]);
    }
  });

  it('may be absent where the contract says so, with or without a content type', async () => {
    const empty = await post('/v1/optional', '', { 'content-type': 'application/json' });
    expect(await empty.json()).toBe(false);
    expect(await (await call('/v1/optional', { method: 'POST' })).json()).toBe(false);
    expect(await (await post('/v1/optional', '{}')).json()).toBe(true);
  });

  it('absent or not JSON where one is required answer 422 with the pointer', async () => {
    const absent = await problemOf(await call('/v1/notes/1', { method: 'POST', headers: { token: 'good' } }));
    expect(absent).toMatchObject({
      code: 'invalid-request',
      errors: [{ pointer: '/body', detail: 'is required' }],
    });
    const broken = await problemOf(await post('/v1/notes/1', '{"text":'));
    expect(broken.errors).toEqual([{ pointer: '/body', detail: 'must be JSON' }]);
  });

  it('name every broken field of path, query and body by an escaped JSON pointer', async () => {
    const problem = await problemOf(await post('/v1/notes/0?mode=shout', '{"text":"x","a/b":[1,"2"]}'));
    expect(problem.status).toBe(422);
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual([
      '/path/id',
      '/query/mode',
      '/body/text',
      '/body/a~1b/1',
    ]);
    expect(problem.detail).toContain('/path/id');
  });

  it('larger than the limit answer 413 that can be read, then the connection closes', async () => {
    const declared = await post('/v1/notes/1', `{"text":"${'x'.repeat(5_000_000)}"}`);
    expect(declared.headers.get('connection')).toBe('close');
    expect(await problemOf(declared)).toMatchObject({
      code: 'body-too-large',
      detail: 'The body is larger than the limit of 1024 bytes',
    });
  });

  it('larger than the limit in chunks answer 413 too', async () => {
    const request = httpRequest(`${service.url}/v1/notes/1`, { method: 'POST', headers: { token: 'good' } });
    for (let i = 0; i < 50; i += 1) request.write('x'.repeat(100_000));
    request.end();
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(413);
    const body = Buffer.concat(await response.toArray()).toString();
    expect(problemSchema.parse(JSON.parse(body)).code).toBe('body-too-large');
  });

  it('exactly at the limit are taken', async () => {
    const wrapperBytes = '{"text":""}'.length;
    const response = await post('/v1/notes/1', `{"text":"${'x'.repeat(1024 - wrapperBytes)}"}`);
    expect(response.status).toBe(200);
    const over = await post('/v1/notes/1', `{"text":"${'x'.repeat(1025 - wrapperBytes)}"}`);
    expect(over.status).toBe(413);
  });

  it('of a stranger are not kept: 401 comes before 413, and the answer can be read', async () => {
    const response = await post('/v1/notes/1', 'x'.repeat(5_000_000), { token: 'bad' });
    expect((await problemOf(response)).code).toBe('invalid-token');
  });
});

describe('callers', () => {
  it('a token comes in the header token or as Bearer, verified at once or later', async () => {
    for (const headers of [{ token: 'good' }, { token: 'slow' }, { authorization: 'Bearer good' }])
      expect((await post('/v1/notes/1', '{"text":"hello"}', headers as Record<string, string>)).status).toBe(
        200,
      );
  });

  it('no token answers 400 with the words of the original, a bad one 401', async () => {
    const missing = await problemOf(await post('/v1/notes/1', '{}', {}));
    expect(missing).toMatchObject({ status: 400, detail: 'Missing token in header' });
    const bad = await post('/v1/notes/1', '{}', { token: 'bad' });
    expect(bad.headers.get('www-authenticate')).toBe(
      'Bearer error="invalid_token", error_description="invalid-token"',
    );
    expect((await problemOf(bad)).code).toBe('invalid-token');
  });

  it('only an administrator passes an administrator route', async () => {
    const refused = await call('/v1/administer', { method: 'DELETE', headers: { token: 'good' } });
    expect((await problemOf(refused)).code).toBe('forbidden');
    const allowed = await call('/v1/administer', { method: 'DELETE', headers: { token: 'admin' } });
    expect([allowed.status, await allowed.text(), allowed.headers.get('content-length')]).toEqual([
      204,
      '',
      null,
    ]);
  });

  it('basic credentials may hold colons and any letter in the password', async () => {
    const basic = Buffer.from('ada:pa:ss wörd').toString('base64');
    const response = await post('/v1/sign-in', '', { authorization: `Basic ${basic}` });
    expect([response.status, await response.json()]).toEqual([201, ['ada', 'pa:ss wörd']]);
  });

  it.each(['', 'Bearer good', 'Basic !!!', `Basic ${Buffer.from('nocolon').toString('base64')}`])(
    'credentials "%s" answer 401 that asks for Basic',
    async (authorization) => {
      const response = await post('/v1/sign-in', '', authorization === '' ? {} : { authorization });
      expect(response.headers.get('www-authenticate')).toBe('Basic realm="gantry"');
      expect((await problemOf(response)).code).toBe('not-authenticated');
    },
  );

  it('services prove themselves with Bearer only', async () => {
    const enrolled = await call('/v1/enrol', {
      method: 'PUT',
      headers: { authorization: 'Bearer enrol-me' },
    });
    expect(await enrolled.json()).toBe('enrol-me');
    const authorization = 'Bearer runtime-secret';
    expect((await call('/v1/runtime', { headers: { authorization } })).status).toBe(204);
    const headerSets: Record<string, string>[] = [
      {},
      { token: 'runtime-secret' },
      { authorization: 'Bearer wrong' },
    ];
    for (const headers of headerSets)
      expect((await problemOf(await call('/v1/runtime', { headers }))).code).toBe(
        'invalid-service-credential',
      );
  });
});

describe('answers', () => {
  it('carry a request id: the given one when it is harmless, else a new one', async () => {
    const given = await call('/v1/notes/7', { headers: { 'x-request-id': 'device-1.call_2' } });
    expect(given.headers.get('x-request-id')).toBe('device-1.call_2');
    const refused = await call('/v1/notes/7', { headers: { 'x-request-id': 'a b"c' } });
    expect(refused.headers.get('x-request-id')).toMatch(/^[0-9a-f]{16}-[0-9a-z]+$/);
    expect(given.headers.get('cache-control')).toBe('no-store');
    expect(given.headers.get('x-content-type-options')).toBe('nosniff');
    expect(given.headers.get('x-powered-by')).toBeNull();
  });

  it('say when to come back, rounded up to whole seconds in Retry-After', async () => {
    const response = await call('/v1/fail/retry');
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await problemOf(response)).toMatchObject({
      status: 503,
      code: 'queue-full',
      retry_after_ms: 1500,
      instance: '/v1/fail/retry',
    });
  });

  it('never tell the text of a bug', async () => {
    const response = await call('/v1/fail/bug');
    const problem = await problemOf(response);
    expect(problem.code).toBe('internal-error');
    expect(JSON.stringify(problem)).not.toContain('secret');
  });

  it('an unknown route is 404, a known path with another method 405 with Allow', async () => {
    expect((await problemOf(await call('/v1/nothing'))).code).toBe('route-not-found');
    const wrong = await call('/v1/notes/1', { method: 'PUT', body: '{}' });
    expect(wrong.headers.get('allow')).toBe('POST, GET, HEAD');
    expect((await problemOf(wrong)).code).toBe('method-not-allowed');
    expect((await problemOf(await call('/V1/NOTES/'))).code).toBe('route-not-found');
  });

  it('a path that is no valid URL encoding is 400, not a page with a stack', async () => {
    const answer = await exchange('GET /v1/notes/%E0%A4%A HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"malformed-request"');
    expect(answer).not.toContain('    at ');
  });

  it('HEAD answers the headers of GET without its body', async () => {
    const response = await call('/v1/notes/seven', { method: 'HEAD' });
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
      200,
      '5',
      '',
    ]);
  });

  it('calls on one kept connection follow each other, also after refusals', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (const path of ['/v1/notes/a', '/v1/nothing', '/v1/fail/bug', '/v1/notes/b']) {
      const request = httpRequest(service.url + path, { agent }).end();
      const [response] = await once(request, 'response');
      await response.toArray();
      ports.add(request.socket?.localPort);
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  it('a caller that goes away aborts the signal of its request', async () => {
    const abort = new AbortController();
    const gone = fetch(`${service.url}/v1/wait`, { signal: abort.signal }).catch(
      (error: Error) => error.name,
    );
    while (service.waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const signal = service.waiting[0]?.signal as AbortSignal;
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    abort.abort();
    await aborted;
    expect(await gone).toBe('AbortError');
  });
});
