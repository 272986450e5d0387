/**
 * The doors for clients and edges of RADICAL Edge. Each failure that was found in the original has a test here, by the
 * words of what must not happen.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startBridge, type TestBridge } from '../support/bridge.js';
import {
  type OriginalEdge,
  type OriginalEdgeOptions,
  type RequestFrame,
  registered,
  startOriginalEdge,
} from '../support/original-edge.js';
import { until } from '../support/processes.js';

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await startBridge({ answerSeconds: 2 });
});
afterAll(() => bridge.stop());

const edges: OriginalEdge[] = [];
afterEach(async () => {
  for (const edge of edges.splice(0)) {
    edge.close();
    await edge.closed;
  }
});

const urls = new Map<string, string>();
async function urlOf(name: string): Promise<string> {
  const known = urls.get(name);
  if (known !== undefined) return known;
  const { credential } = await bridge.redeem(name, await bridge.enrol(name, 'olga'));
  const url = `${bridge.url}/t/${credential}`;
  urls.set(name, url);
  return url;
}
async function edgeOf(name: string, options: Partial<OriginalEdgeOptions> = {}): Promise<OriginalEdge> {
  const edge = await startOriginalEdge(await urlOf(name), { name, ...options });
  edges.push(edge);
  await registered(edge);
  return edge;
}
const answering = (answer: (request: RequestFrame) => object | undefined) => ({ answer });

describe('an original client', () => {
  it('finds its edges and reaches a plugin, with its token in the path', async () => {
    const edge = await edgeOf('e1');
    const base = `${bridge.url}/t/${await bridge.tokenOf('olga')}`;
    const list = await (await fetch(`${base}/edge/list`, { method: 'POST' })).json();
    expect(list).toEqual({
      data: {
        bridge: { url: `${bridge.url}/` },
        edges: {
          e1: {
            endpoint: { type: 'radical.edge' },
            plugins: {
              sysinfo: {
                ...{ type: 'sysinfo', namespace: '/e1/sysinfo', version: '0.2.0', enabled: true },
                ui_config: { icon: 'x' },
              },
            },
          },
        },
      },
    });
    expect(await (await fetch(`${base}/edges`)).json()).toEqual({
      edges: [{ name: 'e1', plugins: ['sysinfo'], connected: true, plugin_count: 1 }],
      total: 1,
    });
    const session = await fetch(`${base}/e1/sysinfo/register_session?a=1&a=%20`, {
      method: 'POST',
      body: '{"a":"é"}',
    });
    expect(session.status).toBe(200);
    expect(edge.requests[0]).toMatchObject({
      method: 'POST',
      path: '/sysinfo/register_session?a=1&a=%20',
      body: '{"a":"é"}',
      is_binary: false,
    });
    expect(JSON.stringify(edge.requests)).not.toContain(await bridge.tokenOf('olga'));
  });

  it('gets events of the nodes it may see, the topology first', async () => {
    const edge = await edgeOf('e1');
    const read = async (user: string) => {
      const abort = new AbortController();
      const answer = await bridge.call('/events', { user, signal: abort.signal });
      const seen: string[] = [];
      void (async () => {
        for await (const chunk of answer.body ?? []) seen.push(Buffer.from(chunk as Uint8Array).toString());
      })().catch(() => undefined);
      return { text: () => seen.join(''), abort };
    };
    const [olga, eve] = [await read('olga'), await read('eve')];
    await until(
      'the topology',
      () => olga.text().includes('"topology"') && eve.text().includes('"topology"'),
    );
    expect(olga.text()).toContain('{"topic":"topology","data":{"edges":{"e1":{"plugins":["sysinfo"]}}}}');
    expect(eve.text()).toContain('{"topic":"topology","data":{"edges":{}}}');
    edge.send({ type: 'notification', edge: 'forged', plugin: 'psij', topic: 'job_status', data: { id: 7 } });
    await until('the notification', () => olga.text().includes('job_status'));
    expect(olga.text()).toContain(
      '{"topic":"notification","data":{"edge":"e1","plugin":"psij","topic":"job_status","data":{"id":7}}}',
    );
    expect(eve.text()).not.toContain('job_status');
    for (const { abort } of [olga, eve]) abort.abort();
  });

  it('gets notifications only with the right to the whole plugin, since an edge says not whom they are for', async () => {
    const edge = await edgeOf('e1');
    const read = async (user: string, right: string) => {
      const abort = new AbortController();
      const answer = await bridge.call('/v1/events?node=e1', { user, signal: abort.signal });
      const seen: string[] = [];
      void (async () => {
        for await (const chunk of answer.body ?? []) seen.push(Buffer.from(chunk as Uint8Array).toString());
      })().catch(() => undefined);
      await until('the stream', () => seen.length > 0);
      return { grant: { user, rights: [right] }, text: () => seen.join(''), abort };
    };
    const readers = [await read('bob', 'sysinfo:*'), await read('carla', 'jobs:*')];
    const grants = readers.map(({ grant }) => grant);
    await bridge.call('/v1/nodes/e1/grants', { user: 'olga', method: 'PUT', json: grants });
    const notify = (plugin: string, data: string) =>
      edge.send({ type: 'notification', edge: 'e1', plugin, topic: 'job_status', data });
    notify('psij', 'for-carla');
    notify('sysinfo', 'for-bob');
    const [bob, carla] = readers;
    await until(
      'the events',
      () => bob?.text().includes('for-bob') === true && carla?.text().includes('for-carla') === true,
    );
    expect(bob?.text()).not.toContain('for-carla');
    expect(carla?.text()).not.toContain('for-bob');
    for (const { abort } of readers) abort.abort();
    await bridge.call('/v1/nodes/e1/grants', { user: 'olga', method: 'PUT', json: [] });
  });

  it('leaves places at an edge for others, however many requests it has open', async () => {
    const edge = await edgeOf(
      'e1',
      answering(({ path }) =>
        path === '/psij/quick' ? { status: 200, headers: {}, body: 'ok' } : undefined,
      ),
    );
    const grants = [{ user: 'bob', rights: ['psij:*'] }];
    await bridge.call('/v1/nodes/e1/grants', { user: 'olga', method: 'PUT', json: grants });
    const abort = new AbortController();
    const open = Array.from({ length: 70 }, async () => {
      const answer = await bridge.call('/e1/psij/hang', { user: 'bob', signal: abort.signal });
      return answer.status;
    });
    await until('as many as may be', () => edge.requests.length >= 64);
    const refused = await bridge.call('/e1/psij/quick', { user: 'bob' });
    expect(refused.status).toBe(429);
    expect((await bridge.call('/e1/psij/quick', { user: 'olga' })).status).toBe(200);
    expect(edge.requests.filter(({ path }) => path === '/psij/hang')).toHaveLength(64);
    abort.abort();
    await Promise.allSettled(open);
    await bridge.call('/v1/nodes/e1/grants', { user: 'olga', method: 'PUT', json: [] });
  });

  it('needs a token, and more than one right to a plugin for an edge that knows no rights', async () => {
    await edgeOf('e1');
    const status = async (path: string, user: string, method = 'GET') =>
      (await bridge.call(path, { user, method })).status;
    expect(await status('/edge/list', 'none', 'POST')).toBe(400);
    expect(await status('/e1/sysinfo/metrics', 'none')).toBe(400);
    expect((await fetch(`${bridge.url}/t/rubbish/edges`)).status).toBe(401);
    expect(await status('/e1/psij/submit', 'eve', 'POST')).toBe(404);
    const share = (right: string) =>
      bridge.call('/v1/nodes/e1/grants', {
        user: 'olga',
        method: 'PUT',
        json: [{ user: 'bob', rights: [right] }],
      });
    await share('sysinfo:read');
    expect(await status('/e1/sysinfo/metrics', 'bob')).toBe(403);
    await share('jobs:*');
    expect(await status('/e1/psij/submit', 'bob', 'POST')).toBe(200);
    expect(await status('/e1/staging/get', 'bob', 'POST')).toBe(403);
  });

  it('shuts an edge down only as an administrator', async () => {
    const edge = await edgeOf('e1');
    const disconnect = (user: string) => bridge.call('/edge/disconnect/e1', { user, method: 'POST' });
    expect((await disconnect('none')).status).toBe(400);
    expect((await disconnect('eve')).status).toBe(403);
    expect((await bridge.call('/bridge/terminate', { method: 'POST' })).status).toBe(404);
    const answer = await disconnect('root');
    expect(await answer.json()).toEqual({ status: 'shutdown', edge: 'e1' });
    expect(await edge.closed).toBe(1000);
    expect(edge.frames.at(-1)).toMatchObject({ type: 'shutdown' });
  });
});

describe('failures of the original that cannot happen here', () => {
  it('1: nobody registers without the token of the name, and no script of an edge is served', async () => {
    await expect(startOriginalEdge(bridge.url, { name: 'rogue' })).rejects.toThrow('refused with 400');
    await expect(startOriginalEdge(`${bridge.url}/t/rubbish`, { name: 'rogue' })).rejects.toThrow(
      'refused with 401',
    );
    await expect(
      startOriginalEdge(`${bridge.url}/t/${await bridge.tokenOf('root')}`, { name: 'rogue' }),
    ).rejects.toThrow('refused with 401');
    const other = await startOriginalEdge(await urlOf('e1'), { name: 'rogue' });
    expect(await other.closed).toBe(1000);
    expect(other.frames.at(-1)).toMatchObject({ type: 'error' });
    const evil = { type: 'evil', version: '1', ui_module: 'alert(1)', ui_config: {} };
    await edgeOf('e1', { plugins: { evil } });
    const script = await bridge.call('/plugins/evil.js');
    expect(script.status).toBe(404);
    expect(await (await bridge.call('/edge/list', { method: 'POST' })).text()).not.toContain('alert(1)');
  });

  it('1: no edge can say more of itself than a bridge keeps', async () => {
    const plugins = { sysinfo: { type: 'sysinfo', version: '1', ui_config: { x: 'y'.repeat(400_000) } } };
    const giant = await startOriginalEdge(await urlOf('e1'), { name: 'e1', plugins });
    await giant.closed;
    expect(bridge.isConnected('e1')).toBe(false);
    const large = { sysinfo: { type: 'sysinfo', version: '1', ui_config: { x: 'y'.repeat(100_000) } } };
    await edgeOf('e1', { plugins: large });
    const list = await (await bridge.call('/edge/list', { method: 'POST' })).text();
    expect(list).toContain('"sysinfo"');
    expect(list.length).toBeLessThan(10_000);
  });

  it('2: an edge cannot answer what another one was asked', async () => {
    const asked = await edgeOf(
      'e1',
      answering(() => undefined),
    );
    const rogue = await edgeOf('e2');
    const answer = bridge.call('/e1/sysinfo/metrics', { headers: { 'x-request-id': 'req.000001' } });
    const { req_id } = await until('the request', () => asked.requests[0]);
    expect(req_id).not.toContain('req.000001');
    rogue.send({ type: 'response', req_id, status: 200, headers: {}, body: { forged: true } });
    rogue.send({ type: 'response', req_id: 'req.000001', status: 200, headers: {}, body: { forged: true } });
    await new Promise((wake) => rogue.socket.ping(undefined, undefined, wake));
    await (await bridge.call('/e2/sysinfo/metrics')).text();
    asked.send({ type: 'response', req_id, status: 200, headers: {}, body: { forged: false } });
    expect(await (await answer).json()).toEqual({ forged: false });
  });

  it('3: no credential of a caller reaches an edge', async () => {
    const edge = await edgeOf('e1');
    await bridge.call('/e1/sysinfo/metrics', {
      headers: { cookie: 'secret=1', token: await bridge.tokenOf('root') },
    });
    const names = Object.keys(edge.requests[0]?.headers ?? {});
    for (const name of ['authorization', 'cookie', 'token', 'gantry-caller'])
      expect(names).not.toContain(name);
  });

  it('4: a session is of who registered it, and nobody sees those of others', async () => {
    let count = 0;
    await edgeOf(
      'e1',
      answering(({ path }) => {
        count += 1;
        const body = path.endsWith('register_session')
          ? { sid: `session.0000000${count}` }
          : { sessions: ['session.00000001', 'session.00000002'] };
        return { status: 200, headers: {}, body };
      }),
    );
    const grants = ['bob', 'carla'].map((user) => ({ user, rights: ['jobs:*'] }));
    await bridge.call('/v1/nodes/e1/grants', { user: 'olga', method: 'PUT', json: grants });
    const register = async (user: string) =>
      (
        (await (await bridge.call('/e1/psij/register_session', { user, method: 'POST' })).json()) as {
          sid: string;
        }
      ).sid;
    const [ofBob, ofCarla] = [await register('bob'), await register('carla')];
    const status = async (user: string, id: string) =>
      (await bridge.call(`/e1/psij/list_jobs/${id}`, { user })).status;
    expect(await status('bob', ofBob)).toBe(200);
    expect(await status('bob', ofCarla)).toBe(404);
    expect(await status('bob', ofCarla.replace('.', '%2E'))).toBe(404);
    expect(await status('bob', 'session.deadbeef')).toBe(404);
    expect(await status('olga', ofBob)).toBe(200);
    const list = await bridge.call('/e1/psij/list_sessions', { user: 'carla' });
    expect(await list.json()).toEqual({ sessions: [ofCarla] });
  });

  it('7: two callers with the same request id each get their own answer', async () => {
    const waiting: RequestFrame[] = [];
    const edge = await edgeOf(
      'e1',
      answering((request) => void waiting.push(request)),
    );
    const call = async (item: string) =>
      (await bridge.call(`/e1/sysinfo/${item}`, { headers: { 'x-request-id': 'req.000001' } })).text();
    const answers = Promise.all([call('a'), call('b')]);
    await until('both requests', () => waiting.length === 2);
    for (const { path, req_id } of waiting.reverse())
      edge.send({ type: 'response', req_id, status: 200, headers: {}, body: path });
    expect(await answers).toEqual(['/sysinfo/a', '/sysinfo/b']);
  });

  it('8: binary passes both ways, byte for byte', async () => {
    const bytes = randomBytes(100_000);
    const edge = await edgeOf(
      'e1',
      answering(({ body }) => ({
        status: 200,
        headers: { 'content-type': 'application/octet-stream', 'content-length': '3' },
        body: Buffer.from(body as Uint8Array).toString('base64'),
        is_binary: true,
      })),
    );
    const answer = await bridge.call('/e1/staging/put', { method: 'POST', body: bytes });
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
    expect(edge.requests[0]).toMatchObject({ is_binary: true });
  });

  it('8: answers as msgpack are taken', async () => {
    const edge = await edgeOf(
      'e1',
      answering(() => undefined),
    );
    const answer = bridge.call('/e1/sysinfo/metrics');
    const { req_id } = await until('the request', () => edge.requests[0]);
    edge.sendPacked({
      type: 'response',
      req_id,
      status: 201,
      headers: {},
      body: new Uint8Array([0, 255]),
      is_binary: true,
    });
    expect((await answer).status).toBe(201);
    expect(new Uint8Array(await (await answer).arrayBuffer())).toEqual(new Uint8Array([0, 255]));
  });

  it('9: a second name on one connection ends it, and leaves no zombie', async () => {
    const edge = await edgeOf('e1');
    edge.send({ type: 'register', edge_name: 'e2', plugins: {} });
    await edge.closed;
    await until('both names to be gone', async () => {
      const list = (await (await bridge.call('/edges')).json()) as { total: number };
      return list.total === 0;
    });
    await edgeOf('e1');
    expect(bridge.bridge.link.isConnected('e1')).toBe(true);
  });

  it('10: plugins that an edge adds and removes while it runs are seen, and it speaks for itself only', async () => {
    const other = await edgeOf('e2');
    const edge = await edgeOf('e1');
    const abort = new AbortController();
    const events = await bridge.call('/events', { user: 'olga', signal: abort.signal });
    const seen: string[] = [];
    void (async () => {
      for await (const chunk of events.body ?? []) seen.push(Buffer.from(chunk as Uint8Array).toString());
    })().catch(() => undefined);
    await until('the topology', () => seen.join('').includes('"e1":{"plugins":["sysinfo"]}'));
    const added = { type: 'iri.nersc', version: '0.3.0', ui_config: { title: 'NERSC' } };
    edge.send({
      type: 'topology',
      edges: { e1: { plugins: { sysinfo: {}, 'iri.nersc': added } }, e2: { plugins: [] } },
    });
    await until('the change', () => seen.join('').includes('"e1":{"plugins":["sysinfo","iri.nersc"]}'));
    const list = (await (await bridge.call('/edge/list', { method: 'POST' })).json()) as {
      data: { edges: Record<string, { plugins: object }> };
    };
    expect(list.data.edges['e1']?.plugins).toMatchObject({
      sysinfo: { version: '0.2.0', ui_config: { icon: 'x' } },
      'iri.nersc': { version: '0.3.0', namespace: '/e1/iri.nersc', ui_config: { title: 'NERSC' } },
    });
    expect(list.data.edges['e2']?.plugins).toHaveProperty('sysinfo');
    expect((await bridge.call('/e1/iri.nersc/resources')).status).toBe(200);
    // Names alone, as the bridge itself says it.
    edge.send({ type: 'topology', edges: { e1: { plugins: ['iri.nersc'] } } });
    await until('the removal', () => seen.join('').includes('"e1":{"plugins":["iri.nersc"]}'));
    expect((await bridge.readNode('e1')).plugins).toMatchObject([{ name: 'iri.nersc', version: '0.3.0' }]);
    // Rubbish is no topology.
    edge.send({ type: 'topology', edges: { e1: { plugins: 7 } } });
    edge.send({ type: 'topology' });
    expect((await bridge.call('/e1/iri.nersc/resources')).status).toBe(200);
    expect((await bridge.readNode('e1')).plugins).toHaveLength(1);
    expect(other.socket.readyState).toBe(other.socket.OPEN);
    abort.abort();
  });

  it('11: an edge whose old connection hangs is let in again at once', async () => {
    const hanging = await edgeOf(
      'e1',
      answering(() => undefined),
    );
    const open = bridge.call('/e1/sysinfo/metrics');
    await until('the request', () => hanging.requests[0]);
    await edgeOf('e1');
    expect((await open).status).toBe(502);
    expect((await bridge.call('/e1/sysinfo/metrics')).status).toBe(200);
    await hanging.closed;
    expect(bridge.bridge.link.isConnected('e1')).toBe(true);
  });

  it('12: what an edge says about framing does not pass', async () => {
    await edgeOf(
      'e1',
      answering(() => ({
        status: 200,
        headers: {
          'Transfer-Encoding': 'chunked',
          'Content-Length': '1',
          Connection: 'x-a',
          'X-A': '1',
          'X-B': '2',
        },
        body: 'four',
      })),
    );
    const answer = await bridge.call('/e1/sysinfo/metrics');
    expect(answer.headers.get('transfer-encoding')).toBeNull();
    expect(answer.headers.get('content-length')).toBe('4');
    expect(answer.headers.get('x-a')).toBeNull();
    expect(answer.headers.get('x-b')).toBe('2');
    expect(await answer.text()).toBe('four');
  });

  it('12: a header with a line end fails its own request only', async () => {
    await edgeOf(
      'e1',
      answering(() => ({ status: 200, headers: { 'x-a': 'b\r\nset-cookie: c' }, body: '' })),
    );
    expect((await bridge.call('/e1/sysinfo/metrics')).status).toBe(502);
    expect(bridge.bridge.link.isConnected('e1')).toBe(true);
  });

  it('13: a body that is too large for an edge is refused here, and its other requests go on', async () => {
    const edge = await edgeOf(
      'e1',
      answering((request) => (request.path.includes('slow') ? undefined : { status: 200, body: 'x' })),
    );
    const innocent = bridge.call('/e1/sysinfo/slow');
    const { req_id } = await until('the request', () => edge.requests[0]);
    for (const body of [Buffer.alloc(12 * 1024 * 1024, 'a'), Buffer.alloc(12 * 1024 * 1024, 255)]) {
      const refused = await bridge.call('/e1/staging/put', { method: 'POST', body });
      expect(refused.status).toBe(413);
    }
    // JSON makes each of these six bytes.
    const swelling = await bridge.call('/e1/staging/put', {
      method: 'POST',
      body: Buffer.alloc(3 * 1024 * 1024, 1),
    });
    expect(swelling.status).toBe(413);
    edge.send({ type: 'response', req_id, status: 200, headers: {}, body: 'fine' });
    expect(await (await innocent).text()).toBe('fine');
    expect(edge.requests).toHaveLength(1);
  });

  it('15: a caller that leaves frees its place, and an edge that never answers costs its own deadline', async () => {
    const edge = await edgeOf(
      'e1',
      answering(() => undefined),
    );
    const abort = new AbortController();
    const left = bridge.call('/e1/sysinfo/a', { signal: abort.signal });
    await until('the request', () => edge.requests[0]);
    abort.abort();
    await expect(left).rejects.toThrow();
    const late = await bridge.call('/e1/sysinfo/b');
    expect(late.status).toBe(504);
    expect(await late.json()).toMatchObject({ code: 'node-timeout' });
  });

  it('an edge that goes away in the middle is told of at once', async () => {
    const edge = await edgeOf(
      'e1',
      answering(() => undefined),
    );
    const open = bridge.call('/e1/sysinfo/metrics');
    await until('the request', () => edge.requests[0]);
    edge.close();
    expect((await open).status).toBe(502);
    expect((await bridge.call('/e1/sysinfo/metrics')).status).toBe(503);
  });
});

describe('open mode', () => {
  it('does not start on a listener that others reach', async () => {
    await expect(startBridge({ access: 'open', host: '0.0.0.0' })).rejects.toThrow('loopback');
  });

  it('takes original edges and clients without tokens, but no page of a browser, and not our own routes', async () => {
    const open = await startBridge({ access: 'open' });
    const edge = await startOriginalEdge(open.url, { name: 'free' });
    edges.push(edge);
    await registered(edge);
    const get = async (path: string, headers: Record<string, string> = {}) =>
      (await fetch(`${open.url}${path}`, { headers })).status;
    expect(await get('/free/sysinfo/metrics')).toBe(200);
    expect(await get('/edges')).toBe(200);
    expect(await get('/free/sysinfo/metrics', { origin: 'https://evil.example' })).toBe(403);
    // What comes through a proxy on this machine comes from anywhere.
    expect(await get('/free/sysinfo/metrics', { 'x-forwarded-for': '192.0.2.1' })).toBe(403);
    expect(await get('/edges', { via: '1.1 proxy' })).toBe(403);
    expect(await get('/v1/nodes')).toBe(400);
    // While the first one answers, a second of its name is refused, as the original does.
    const second = await startOriginalEdge(open.url, { name: 'free' });
    await second.closed;
    expect(second.frames.at(-1)).toMatchObject({ type: 'error', message: "Edge 'free' already used" });
    // A name that was enrolled cannot be taken without its token.
    await open.redeem('mine', await open.enrol('mine'));
    const thief = await startOriginalEdge(open.url, { name: 'mine' });
    await thief.closed;
    expect(thief.frames.at(-1)).toMatchObject({ type: 'error' });
    await open.stop();
  });
});

describe('a token in a path', () => {
  it('is in no line of the log, no answer and no request to a node', async () => {
    const lines: string[] = [];
    const write = (message: string, fields?: object) =>
      void lines.push(`${message} ${JSON.stringify(fields)}`);
    const noisy = await startBridge({ logger: { error: write, warn: write, info: write, debug: write } });
    const { credential } = await noisy.redeem('e1', await noisy.enrol('e1', 'olga'));
    const edge = await startOriginalEdge(`${noisy.url}/t/${credential}`, { name: 'e1' });
    await registered(edge);
    const token = await noisy.tokenOf('olga');
    const answers: string[] = [];
    for (const path of [
      'edges',
      'edge/nothing',
      'e1/sysinfo/metrics',
      'none/sysinfo/metrics',
      'v1/nodes',
      'e1/a/%2e%2e/b',
    ]) {
      const answer = await fetch(`${noisy.url}/t/${token}/${path}`, {
        headers: { referer: `http://x/t/${token}/y` },
      });
      answers.push(`${JSON.stringify([...answer.headers])} ${await answer.text()}`);
    }
    const wrong = `${noisy.url}/t/${token.slice(0, -4)}AAAA/edges`;
    answers.push(await (await fetch(wrong)).text());
    // What changes something is in the audit log, refused upgrades and broken paths are in none.
    answers.push(await (await fetch(`${noisy.url}/t/${token}/e1/psij/submit`, { method: 'POST' })).text());
    await expect(startOriginalEdge(`${noisy.url}/t/${token}`, { name: 'e1' })).rejects.toThrow('401');
    await expect(startOriginalEdge(`${noisy.url}/t/${token}/x/y`, { name: 'e1' })).rejects.toThrow('refused');
    edge.close();
    await noisy.stopKeepingData();
    const audit = readFileSync(join(noisy.dataDir, 'audit', 'audit.jsonl'), 'utf8');
    expect(audit).toContain('/psij/submit');
    lines.push(audit);
    await noisy.stop();
    expect(lines.length).toBeGreaterThan(3);
    for (const secret of [token, credential, token.slice(0, -4)])
      for (const text of [...lines, ...answers, JSON.stringify(edge.requests)])
        expect(text).not.toContain(secret);
  });
});
