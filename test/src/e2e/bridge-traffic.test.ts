/** What passes through the bridge to a node: bodies of any size, events, WebSockets, and what is left when one side goes. */
import { createHash, randomBytes } from 'node:crypto';
import { GantryClient } from '@gantry/client';
import type { NodeCredential, NodeEvent } from '@gantry/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { startBridge, type TestBridge } from '../support/bridge.js';
import { echo, type FakeAgent, type FakeAgentOptions, startFakeAgent } from '../support/fake-agent.js';
import { until } from '../support/processes.js';

let bridge: TestBridge;
let credential: NodeCredential;
beforeAll(async () => {
  bridge = await startBridge({ answerSeconds: 2 });
  credential = await bridge.redeem('n1', await bridge.enrol('n1', 'olga'));
});
afterAll(() => bridge.stop());

const agents: FakeAgent[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close();
});
async function agentOf(options: Partial<FakeAgentOptions> = {}): Promise<FakeAgent> {
  const agent = await startFakeAgent(bridge, { credential, ...options });
  agents.push(agent);
  return agent;
}

/** Pieces of random bytes, and what their sum is. */
function manyBytes(count: number): { stream: ReadableStream<Uint8Array>; hash: () => string } {
  const sum = createHash('sha256');
  let left = count;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (left === 0) return controller.close();
      left -= 1;
      const piece = randomBytes(1024 * 1024);
      sum.update(piece);
      controller.enqueue(piece);
    },
  });
  return { stream, hash: () => sum.digest('hex') };
}

describe('through the bridge', () => {
  it('a large body streams up and down at once, byte for byte', async () => {
    await agentOf({
      handler: (request, response) => {
        request.pipe(response);
      },
    });
    const { hash, stream } = manyBytes(64);
    const answer = await bridge.call('/v1/nodes/n1/files/echo', {
      method: 'POST',
      body: stream,
      duplex: 'half',
    });
    const sum = createHash('sha256');
    for await (const piece of answer.body ?? []) sum.update(piece as Uint8Array);
    expect(sum.digest('hex')).toBe(hash());
  });

  it('an event reaches the reader when it was written, and leaving ends the handler', async () => {
    let isLeft = false;
    await agentOf({
      handler: (_request, response) => {
        response.on('close', () => {
          isLeft = true;
        });
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: one\n\n');
      },
    });
    const abort = new AbortController();
    const answer = await bridge.call('/v1/nodes/n1/jobs/events', { signal: abort.signal });
    const { value } = (await answer.body?.getReader().read()) ?? {};
    expect(Buffer.from(value ?? []).toString()).toBe('data: one\n\n');
    abort.abort();
    await until('the handler to hear of it', () => isLeft);
  });

  it('a WebSocket passes both ways, for who may reach the node', async () => {
    await agentOf({
      onConnect: ({ stream }) => {
        stream.respond({ ':status': 200 });
        // Frames of a client are masked, those of a server are not: a real one stands behind an agent.
        stream.write(Buffer.from([0x82, 0x03, 1, 2, 3]));
      },
    });
    const open = async (user: string) =>
      new WebSocket(`${bridge.url.replace('http', 'ws')}/v1/nodes/n1/shell/ws`, {
        headers: { authorization: `Bearer ${await bridge.tokenOf(user)}` },
      });
    const socket = await open('olga');
    const first = await new Promise<Buffer>((resolve, reject) => {
      socket.once('message', resolve);
      socket.once('error', reject);
    });
    expect([...first]).toEqual([1, 2, 3]);
    socket.terminate();
    const refused = await open('eve');
    const status = await new Promise((resolve) => {
      refused.once('unexpected-response', (_request, response) => resolve(response.statusCode));
      refused.once('error', () => undefined);
    });
    expect(status).toBe(404);
  });

  it('an encoded slash stays one, repeated values stay, dot segments are refused', async () => {
    await agentOf();
    const answer = await bridge.call('/v1/nodes/n1/files/a%2Fb%3Fc?x=1&x=&y=%20');
    expect(await answer.json()).toMatchObject({ url: '/files/a%2Fb%3Fc?x=1&x=&y=%20' });
    const { hostname, port } = new URL(bridge.url);
    const status = await new Promise<number>((resolve) => {
      // fetch would resolve the dots by itself.
      void import('node:http').then(({ get }) =>
        get({ hostname, port, path: '/v1/nodes/n1/jobs/../agent/config' }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        }),
      );
    });
    expect(status).toBe(400);
  });

  it('a node that never answers costs its deadline and no more', async () => {
    await agentOf({
      handler: (request, response) =>
        request.url.endsWith('slow') ? undefined : void echo(request, response),
    });
    const slow = bridge.call('/v1/nodes/n1/jobs/slow');
    expect((await bridge.call('/v1/nodes/n1/jobs/fast')).status).toBe(200);
    const answer = await slow;
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({
      code: 'node-timeout',
      detail: expect.stringContaining('n1'),
    });
  });

  it('a node that is not connected is 503 at once', async () => {
    const answer = await bridge.call('/v1/nodes/n1/jobs/x');
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: 'node-unreachable' });
  });
});

describe('when one side goes', () => {
  it('an agent that is killed in the middle of a request is told of at once', async () => {
    const agent = await bridge.startAgent('killed');
    expect(await (await bridge.call('/v1/nodes/killed/sysinfo/homedir')).text()).toContain('homedir');
    let isRead: () => void = () => undefined;
    const read = new Promise<void>((resolve) => {
      isRead = resolve;
    });
    // An upload that has begun and does not end.
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        isRead();
        controller.enqueue(new Uint8Array(1024));
        return new Promise(() => undefined);
      },
    });
    const open = bridge.call('/v1/nodes/killed/files/content?path=x.bin', {
      method: 'PUT',
      body,
      duplex: 'half',
    });
    await read;
    await agent.stop('SIGKILL');
    const answer = await open;
    expect([502, 503]).toContain(answer.status);
    expect(await answer.json()).toMatchObject({ code: expect.stringMatching(/^node-(lost|unreachable)$/) });
    expect((await bridge.call('/v1/nodes/killed/sysinfo/homedir')).status).toBe(503);
    expect(await bridge.readNode('killed')).toMatchObject({ state: 'disconnected' });
  });

  it('agents come back to a bridge that was started again, with the same credential and a higher lease', async () => {
    const first = await startBridge();
    const own = await first.redeem('back', await first.enrol('back'));
    const agent = await startFakeAgent(first, { credential: own });
    const before = await first.readNode('back');
    const port = Number(new URL(first.url).port);
    await first.stopKeepingData();
    const second = await startBridge({ dataDir: first.dataDir, port });
    await until('the agent to be back', () => second.bridge.link.isConnected('back'), 30_000);
    expect((await second.readNode('back')).lease_epoch).toBeGreaterThan(before.lease_epoch);
    expect((await second.call('/v1/nodes/back/sysinfo/x')).status).toBe(200);
    await agent.close();
    await second.stop();
  });
});

describe('the client', () => {
  const clientOf = async (user: string) =>
    new GantryClient({
      cloudUrl: 'http://127.0.0.1:1',
      credentials: { token: await bridge.tokenOf(user) },
    }).bridge(bridge.url);

  it('enrols, lists, shows, shares and revokes', async () => {
    const client = await clientOf('carla');
    const { enrolment_token } = await client.nodes.enrol('mine', { labels: { site: 'lab' } });
    expect(await client.nodes.redeem('mine', enrolment_token)).toMatchObject({ name: 'mine' });
    expect(await client.nodes.list().toArray(10)).toMatchObject([{ name: 'mine', labels: { site: 'lab' } }]);
    await client.nodes.setGrants('mine', [{ user: 'dan', rights: ['jobs:*'] }]);
    expect(await (await clientOf('dan')).nodes.show('mine')).toMatchObject({
      rights: ['jobs:*'],
      grants: null,
    });
    expect(await client.nodes.revoke('mine')).toMatchObject({ state: 'revoked' });
    await expect(client.nodes.show('none')).rejects.toMatchObject({ code: 'node-not-found', status: 404 });
  });

  it('calls plugins and follows events of a real agent, once each and in order', async () => {
    const client = await clientOf('root');
    const abort = new AbortController();
    const seen: NodeEvent[] = [];
    const following = (async () => {
      for await (const event of client.events({ node: 'live', signal: abort.signal })) seen.push(event);
    })();
    await bridge.startAgent('live');
    const plugin = client.node('live').plugin('sysinfo');
    expect(await plugin.get('homedir')).toMatchObject({ homedir: expect.any(String) });
    await expect(plugin.get('nothing')).rejects.toMatchObject({ status: 404 });
    await until('vitals', () =>
      seen.some((event) => event.kind === 'event' && event.event.topic === 'vitals'),
    );
    expect(seen[0]).toEqual({ kind: 'node', node: 'live', state: 'connected' });
    const numbers = seen.flatMap((event) => (event.kind === 'event' ? [event.event.seq] : []));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    abort.abort();
    await following;
  });

  it('changes the settings of a node, which take effect without a restart', async () => {
    const client = await clientOf('root');
    const before = await client.nodes.show('live');
    expect(before.plugins.find(({ name }) => name === 'files')).toMatchObject({ state: 'running' });
    await client.nodes.setSettings('live', { disabled: ['files'] });
    await until('the plugin to be off', async () => {
      const node = await client.nodes.show('live');
      return node.plugins.find(({ name }) => name === 'files')?.state === 'disabled';
    });
    await expect(client.node('live').plugin('files').get('roots')).rejects.toMatchObject({
      code: 'plugin-not-found',
    });
    expect((await client.nodes.show('live')).lease_epoch).toBe(before.lease_epoch);
  });
});
