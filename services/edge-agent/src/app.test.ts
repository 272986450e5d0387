import { once } from 'node:events';
import { connect as connectH2, createServer as createH2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { EdgeAgentOptions } from './app.js';
import type { AgentPlugin, PluginRoute } from './core/ports.js';
import { probePlugin } from './test-support/probe-plugin.js';
import { bridgeRights, type RunningAgent, startAgent } from './test-support/start-agent.js';

const open: RunningAgent[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((running) => running.stop()));
});

async function start(
  plugins: readonly AgentPlugin[],
  options: Partial<EdgeAgentOptions> = {},
): Promise<RunningAgent> {
  const running = await startAgent(plugins, options);
  open.push(running);
  return running;
}

const bodyOf = async (response: Response): Promise<Record<string, unknown>> =>
  (await response.json()) as Record<string, unknown>;

async function until(isTrue: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + 20_000;
  while (!isTrue()) {
    if (performance.now() > giveUpMs) throw new Error('It did not come true in 20 s');
    await sleep(10);
  }
}

/** A route that is held until its caller leaves, and how many are inside. */
function holding() {
  const seen = { inside: 0, reasons: [] as unknown[] };
  const route: PluginRoute = {
    method: 'GET',
    path: '/hold',
    permission: 'probe:read',
    handler: async ({ signal }) => {
      seen.inside += 1;
      await once(signal, 'abort');
      seen.inside -= 1;
      seen.reasons.push(signal.reason);
      return {};
    },
  };
  return { seen, routes: [route] };
}

describe('routing', () => {
  it('finds plugins by name and alias, and keeps what was sent as it was sent', async () => {
    const running = await start([probePlugin({ aliases: ['old_probe'] })]);
    const echo = await running.call('/old_probe/echo/a%2Fb%20c?x=1&x=&y=%26');
    expect(await bodyOf(echo)).toEqual({
      value: 'a/b c',
      query: [
        ['x', '1'],
        ['x', ''],
        ['y', '&'],
      ],
      mountedAs: 'old_probe',
    });
    expect(await bodyOf(await running.call('/probe/rest/a%2Fb/c'))).toEqual({ rest: 'a%2Fb/c' });
  });

  it('says what is missing: plugin, route, method', async () => {
    const running = await start([probePlugin()]);
    expect(await bodyOf(await running.call('/nowhere/x'))).toMatchObject({
      status: 404,
      code: 'plugin-not-found',
    });
    expect(await bodyOf(await running.call('/probe/nothing'))).toMatchObject({
      status: 404,
      code: 'route-not-found',
    });
    const wrong = await running.call('/probe/word', { method: 'DELETE' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await running.call('/probe/echo/%E0%A4%A')).status).toBe(400);
  });

  it('answers HEAD with the head of GET', async () => {
    const running = await start([probePlugin()]);
    const head = await running.call('/probe/word', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '16', '']);
  });

  it('takes no call whose statement has run out', async () => {
    const running = await start([probePlugin()], {
      verifyCaller: async () => ({ user: 'ada', rights: ['*'], expiresAt: Date.now() - 1 }),
    });
    expect(await bodyOf(await running.call('/probe/word'))).toMatchObject({ code: 'token-expired' });
  });

  it('never counts the rights of the bridge as part of everything', async () => {
    const running = await start([probePlugin()]);
    expect((await running.call('/agent/events', { rights: ['*'] })).status).toBe(403);
    expect((await running.call('/agent/config', { method: 'PUT', json: {}, rights: ['*'] })).status).toBe(
      403,
    );
    expect((await running.call('/agent/info', { rights: bridgeRights })).status).toBe(200);
  });

  it('refuses bodies that are too large or not as declared', async () => {
    const running = await start([probePlugin()]);
    const large = await running.call('/probe/read', { json: { n: 1, pad: 'x'.repeat(2000) } });
    expect([large.status, (await bodyOf(large))['code']]).toEqual([413, 'body-too-large']);
    // Without a length the limit is found while reading.
    const stream = new ReadableStream({
      start(controller) {
        for (let count = 0; count < 30; count += 1) controller.enqueue(new Uint8Array(100));
        controller.close();
      },
    });
    const unannounced = await running.call('/probe/read', { method: 'POST', body: stream });
    expect(unannounced.status).toBe(413);
    const wrong = await running.call('/probe/read', { json: { n: 'one' } });
    expect(await bodyOf(wrong)).toMatchObject({ status: 422, errors: [{ pointer: '/body/n' }] });
  });
});

describe('a plugin that misbehaves', () => {
  it.each(['throws', 'rejects', 'circular', 'bad-status', 'bad-header', 'early-failure'])(
    'gets its caller a 500 that tells nothing of the inside: %s',
    async (path) => {
      const running = await start([probePlugin()]);
      const response = await running.call(`/probe/${path}`);
      const body = await response.text();
      expect([response.status, JSON.parse(body).code]).toEqual([500, 'plugin-failed']);
      expect(body).not.toContain('secret');
      expect((await running.call('/probe/word')).status).toBe(200);
    },
  );

  it('is answered for when it never answers, and its place is given back', async () => {
    const running = await start([probePlugin()], { limits: { maxConcurrentCalls: 2, maxAbandonedCalls: 5 } });
    for (let count = 0; count < 4; count += 1) {
      const response = await running.call('/probe/never');
      expect([response.status, (await bodyOf(response))['code']]).toEqual([504, 'plugin-timeout']);
    }
    expect((await running.call('/probe/word')).status).toBe(200);
  });

  it('takes no calls any more once too many of them never ended; the others go on', async () => {
    const other = probePlugin({ name: 'other' });
    const running = await start([probePlugin(), other], { limits: { maxAbandonedCalls: 3 } });
    await Promise.all([1, 2, 3].map(() => running.call('/probe/never')));
    expect(await bodyOf(await running.call('/probe/word'))).toMatchObject({ code: 'plugin-unavailable' });
    expect((await running.call('/other/word')).status).toBe(200);
  });

  it('does not hold the agent while its thread spins, and the thread is killed at its deadline', async () => {
    const running = await start([probePlugin()]);
    const spinning = running.call('/probe/spin');
    let answered = 0;
    let isSpinning = true;
    void spinning.finally(() => {
      isSpinning = false;
    });
    while (isSpinning) {
      expect((await running.call('/probe/word')).status).toBe(200);
      answered += 1;
    }
    expect(answered).toBeGreaterThan(3);
    expect(await bodyOf(await spinning)).toMatchObject({ status: 504, code: 'plugin-timeout' });
    expect(await bodyOf(await running.call('/probe/spin?ms=1'))).toEqual({ value: 1 });
  });

  it('has a bound on its threads', async () => {
    const running = await start([probePlugin()], { limits: { maxThreadsPerPlugin: 2 } });
    const answers = await Promise.all([1, 2, 3].map(() => running.call('/probe/spin')));
    expect(answers.map(({ status }) => status).sort()).toEqual([503, 504, 504]);
  });

  it('breaks its answer off when the stream breaks off: half is not whole', async () => {
    const running = await start([probePlugin()]);
    const response = await running.call('/probe/late-failure');
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
    expect((await running.call('/probe/word')).status).toBe(200);
  });

  it('gets no more than its share of calls, and no user all of them', async () => {
    const { seen, routes } = holding();
    const running = await start([probePlugin({ routes }), probePlugin({ name: 'other' })], {
      limits: { maxConcurrentCalls: 3, maxConcurrentCallsPerUser: 2 },
    });
    const leaving = new AbortController();
    const hold = (user: string) => running.call('/probe/hold', { user, signal: leaving.signal });
    const held = [hold('ada'), hold('ada')];
    for (const one of held) one.catch(() => undefined);
    await until(() => seen.inside === 2);
    expect(await bodyOf(await running.call('/probe/word'))).toMatchObject({ code: 'too-many-concurrent' });
    held.push(hold('bob'));
    held[2]?.catch(() => undefined);
    await until(() => seen.inside === 3);
    expect(await bodyOf(await running.call('/probe/word'))).toMatchObject({
      status: 503,
      code: 'plugin-busy',
    });
    expect((await running.call('/other/word')).status).toBe(200);
    leaving.abort();
    await Promise.allSettled(held);
    // The places come back when the callers leave.
    let status = 0;
    for (let attempt = 0; status !== 200 && attempt < 200; attempt += 1) {
      status = (await running.call('/probe/word')).status;
      if (status !== 200) await sleep(10);
    }
    expect(status).toBe(200);
  });

  it('hears at once that its caller left', async () => {
    const { seen, routes } = holding();
    const running = await start([probePlugin({ routes })]);
    const leaving = new AbortController();
    const call = running.call('/probe/hold', { signal: leaving.signal });
    call.catch(() => undefined);
    await until(() => seen.inside === 1);
    leaving.abort();
    await until(() => seen.inside === 0);
    expect(seen.reasons).toMatchObject([{ code: 'plugin-unavailable' }]);
  });

  it('is not held by a reader that takes nothing', async () => {
    const running = await start([probePlugin()], { limits: { streamIdleMs: 300 } });
    const socket = connect(Number(new URL(running.url).port), '127.0.0.1');
    const caller = JSON.stringify({ user: 'ada', rights: ['*'], expiresAt: Date.now() + 60_000 });
    socket.write(`GET /probe/endless HTTP/1.1\r\nhost: x\r\ntest-caller: ${caller}\r\n\r\n`);
    socket.pause();
    await once(socket, 'connect');
    // It is cut off, although this side never reads.
    const closed = once(socket, 'close');
    await sleep(1500);
    socket.resume();
    socket.on('error', () => undefined);
    await closed;
    expect((await running.call('/probe/word')).status).toBe(200);
  });
});

describe('the life of plugins', () => {
  it('leaves out what does not fit the machine, and says why', async () => {
    const misfit = probePlugin({ name: 'misfit', isSupported: async () => 'there is no scheduler here' });
    const running = await start([misfit, probePlugin()]);
    const response = await running.call('/misfit/word');
    expect(response.status).toBe(404);
    expect((await bodyOf(response))['detail']).toContain('there is no scheduler here');
    const states = running.agent.info().plugins.map(({ name, state }) => [name, state]);
    expect(states).toEqual([
      ['agent', 'running'],
      ['misfit', 'unsupported'],
      ['probe', 'running'],
    ]);
  });

  it('starts what failed again until it runs, and the others do not wait for it', async () => {
    const weak = probePlugin({
      name: 'weak',
      onStart: async (count) => {
        if (count < 3) throw new Error(`no luck ${count}`);
      },
    });
    const running = await start([weak, probePlugin()], { limits: { retryBaseMs: 20, retryMaxMs: 50 } });
    expect((await running.call('/probe/word')).status).toBe(200);
    const early = await running.call('/weak/word');
    if (early.status !== 200) expect((await bodyOf(early))['detail']).toMatch(/no luck/);
    await until(() => weak.seen.starts >= 3);
    let status = 0;
    while (status !== 200) status = (await running.call('/weak/word')).status;
    expect(weak.seen.starts).toBe(3);
  });

  it('gives up a start that hangs, and stops it should it come to an end after all', async () => {
    let finish: () => void = () => undefined;
    const hanging = probePlugin({
      name: 'hanging',
      onStart: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    const running = await start([hanging, probePlugin()], {
      limits: { startTimeoutMs: 100, retryBaseMs: 60_000, retryMaxMs: 60_000 },
    });
    expect(running.agent.info().plugins.find(({ name }) => name === 'hanging')).toMatchObject({
      state: 'failed',
    });
    finish();
    await until(() => hanging.seen.stops === 1);
    expect((await running.call('/probe/word')).status).toBe(200);
  });

  it('does not run with routes that cannot be told apart', async () => {
    const routes = [
      { method: 'GET' as const, path: '/version', permission: 'any', handler: async () => ({}) },
    ];
    const twin = probePlugin({ name: 'twin', routes });
    const running = await start([twin]);
    expect(running.agent.info().plugins.find(({ name }) => name === 'twin')?.reason).toMatch(/Two routes/);
    expect(twin.seen.stops).toBe(1);
  });

  it('ends its running calls when it is stopped', async () => {
    const { seen, routes } = holding();
    const running = await start([probePlugin({ routes })]);
    const call = running.call('/probe/hold');
    await until(() => seen.inside === 1);
    await running.agent.failPlugin('probe', 'a stray error');
    expect(await bodyOf(await call)).toMatchObject({ status: 503, code: 'plugin-unavailable' });
    expect(await bodyOf(await running.call('/probe/word'))).toMatchObject({ code: 'plugin-unavailable' });
  });
});

describe('settings from the bridge', () => {
  const put = (running: RunningAgent, document: unknown) =>
    running.call('/agent/config', { method: 'PUT', json: document, rights: bridgeRights });

  it('take effect without a restart, over those of the machine key by key', async () => {
    const probe = probePlugin();
    const running = await start([probe], { settings: { probe: { word: 'local' } } });
    expect(await bodyOf(await running.call('/probe/word'))).toEqual({ word: 'local' });
    const info = await bodyOf(await put(running, { revision: 3, plugins: { probe: { word: 'remote' } } }));
    expect(info).toMatchObject({
      config: { revision: 3, refused: null },
      facts: { probe: { word: 'remote' } },
    });
    expect(await bodyOf(await running.call('/probe/word'))).toEqual({ word: 'remote' });
    expect(probe.seen.starts).toBe(1);
    await put(running, { revision: 4 });
    expect(await bodyOf(await running.call('/probe/word'))).toEqual({ word: 'local' });
  });

  it('can be asked about: nothing of it takes effect, and nothing is kept of a refusal', async () => {
    const running = await start([probePlugin()]);
    const check = async (document: unknown, rights = bridgeRights) => {
      const answer = await running.call('/agent/config/check', { json: document, rights });
      return { status: answer.status, ...(await bodyOf(answer)) };
    };
    expect(await check({ revision: 1, plugins: { probe: { word: 'other' } } })).toEqual({
      status: 200,
      errors: [],
      unknown_plugins: [],
    });
    expect(
      await check({ revision: 1, disabled: ['nothing'], plugins: { probe: { word: 7 }, containers: {} } }),
    ).toEqual({
      status: 200,
      errors: [{ pointer: '/plugins/probe/word', detail: expect.any(String) }],
      unknown_plugins: ['containers', 'nothing'],
    });
    expect(await check({ revision: 1, plugin: {} })).toMatchObject({ status: 422 });
    expect(await check({ revision: 1 }, ['*'])).toMatchObject({ status: 403 });
    const info = await bodyOf(await running.call('/agent/info', { rights: bridgeRights }));
    expect(info['config']).toEqual({ revision: null, refused: null });
  });

  it('are refused with the reason when they are not valid, and the old ones stay', async () => {
    const running = await start([probePlugin()]);
    await put(running, { revision: 1, plugins: { probe: { word: 'good' } } });
    const refused = await put(running, { revision: 2, plugins: { probe: { word: 7 } } });
    expect([refused.status, await bodyOf(refused)]).toMatchObject([
      422,
      { errors: [{ pointer: '/plugins/probe/word' }] },
    ]);
    expect((await put(running, { revision: 'x' })).status).toBe(422);
    expect(await bodyOf(await running.call('/probe/word'))).toEqual({ word: 'good' });
    expect(running.agent.info().config).toMatchObject({
      revision: 1,
      refused: { revision: 2, reason: expect.stringContaining('/plugins/probe/word') },
    });
  });

  it('take effect for all plugins or for none', async () => {
    const first = probePlugin({ name: 'first' });
    const running = await start([first, probePlugin({ name: 'second' })]);
    const refused = await put(running, {
      revision: 2,
      plugins: { first: { word: 'new' }, second: { refuse: true } },
    });
    expect((await bodyOf(refused))['detail']).toContain('I do not like that');
    expect(await bodyOf(await running.call('/first/word'))).toEqual({ word: 'hello' });
    expect(first.seen.configs.map(({ word }) => word)).toEqual(['new', 'hello']);
  });

  it('switch plugins off and on, and restart the ones that cannot change while they run', async () => {
    const stiff = probePlugin({ name: 'stiff', aliases: ['st_iff'], isReconfigurable: false });
    const running = await start([stiff]);
    await put(running, { revision: 1, plugins: { stiff: { word: 'new' } } });
    expect([stiff.seen.starts, stiff.seen.stops]).toEqual([2, 1]);
    expect(await bodyOf(await running.call('/stiff/word'))).toEqual({ word: 'new' });
    await put(running, { revision: 2, disabled: ['st_iff'] });
    expect(await bodyOf(await running.call('/stiff/word'))).toMatchObject({ code: 'plugin-not-found' });
    await put(running, { revision: 3, plugins: { unknown_here: { a: 1 } } });
    expect(await bodyOf(await running.call('/stiff/word'))).toEqual({ word: 'hello' });
  });

  it('are there again after a restart without the bridge', async () => {
    const before = await startAgent([probePlugin()]);
    await put(before, { revision: 9, plugins: { probe: { word: 'kept' } } });
    await before.stop({ keepData: true });
    const after = await start([probePlugin()], { dataDir: before.dataDir });
    expect(await bodyOf(await after.call('/probe/word'))).toEqual({ word: 'kept' });
    expect(after.agent.info().config.revision).toBe(9);
  });
});

describe('events', () => {
  /** Reads server-sent events until there are `count`. */
  async function read(
    running: RunningAgent,
    query: string,
    count: number,
  ): Promise<Record<string, unknown>[]> {
    const leaving = new AbortController();
    const response = await running.call(`/agent/events${query}`, {
      rights: bridgeRights,
      signal: leaving.signal,
    });
    const events: Record<string, unknown>[] = [];
    let text = '';
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(piece).toString();
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks)
        for (const line of block.split('\n'))
          if (line.startsWith('data: ')) events.push(JSON.parse(line.slice(6)));
      if (events.length >= count) break;
    }
    leaving.abort();
    return events;
  }

  it('reach the bridge in order, are acknowledged, and come once over a restart', async () => {
    const probe = probePlugin();
    const before = await startAgent([probe]);
    for (let count = 1; count <= 5; count += 1)
      probe.seen.context.events.emit('step', { count }, { audience: 'ada' });
    const first = (await read(before, '', 6)).filter(({ topic }) => topic === 'step');
    expect(first.map(({ data }) => data)).toEqual([1, 2, 3, 4, 5].map((count) => ({ count })));
    expect(first[0]).toMatchObject({ plugin: 'probe', audience: 'ada' });
    const { epoch, seq } = first[2] as { epoch: string; seq: number };
    const ack = (body: unknown, running: RunningAgent) =>
      running.call('/agent/events/ack', { json: body, rights: bridgeRights });
    expect((await ack({ epoch, seq }, before)).status).toBe(204);
    expect((await ack({ epoch: 'other', seq }, before)).status).toBe(422);
    expect((await ack({ epoch, seq: 1e9 }, before)).status).toBe(422);
    await before.stop({ keepData: true });

    const again = probePlugin();
    const after = await start([again], { dataDir: before.dataDir });
    again.seen.context.events.emit('step', { count: 6 });
    const rest = (await read(after, '', 4)).filter(({ topic }) => topic === 'step');
    expect(rest.map(({ data }) => data)).toEqual([4, 5, 6].map((count) => ({ count })));
    expect(new Set(rest.map((event) => event['epoch']))).toEqual(new Set([epoch]));
    const seqs = rest.map((event) => event['seq'] as number);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  });

  it('go on from where the reader was', async () => {
    const probe = probePlugin();
    const running = await start([probe]);
    for (let count = 1; count <= 3; count += 1) probe.seen.context.events.emit('step', count);
    const all = (await read(running, '', 4)).filter(({ topic }) => topic === 'step');
    const { epoch, seq } = all[1] as { epoch: string; seq: number };
    const rest = await read(running, `?epoch=${epoch}&after=${seq}`, 1);
    expect(rest.map(({ data }) => data)).toEqual([3]);
  });
});

describe('over HTTP/2', () => {
  it('answers the same, refuses bodies early, and hears when a stream is reset', async () => {
    const { seen, routes } = holding();
    const running = await start([probePlugin({ routes })]);
    const server = createH2Server((request, response) => running.agent.handler(request, response));
    await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
    const client = connectH2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const caller = JSON.stringify({ user: 'ada', rights: ['*'], expiresAt: Date.now() + 60_000 });
    const ask = (path: string, method = 'GET') =>
      client.request({ ':path': path, ':method': method, 'test-caller': caller });
    try {
      const word = ask('/probe/word');
      const [headers] = await once(word, 'response');
      expect(headers[':status']).toBe(200);
      word.resume();

      const big = ask('/probe/read', 'POST');
      const answer = once(big, 'response');
      const feeding = setInterval(() => {
        if (big.writable) big.write(Buffer.alloc(1000));
      }, 5);
      big.on('error', () => undefined);
      expect((await answer)[0][':status']).toBe(413);
      big.resume();
      await once(big, 'close');
      clearInterval(feeding);

      const waiting = ask('/probe/hold');
      await until(() => seen.inside === 1);
      waiting.close();
      await until(() => seen.inside === 0);
    } finally {
      client.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  });
});
