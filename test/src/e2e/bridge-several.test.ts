/** Two bridges on one store: a node is at one of them, and both know which. */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { NodeView } from '@gantry/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startBridge, type TestBridge } from '../support/bridge.js';
import { type FakeAgent, type FakeAgentOptions, startFakeAgent } from '../support/fake-agent.js';
import { until } from '../support/processes.js';

const publicUrl = 'https://b.example:8443';
let [a, b]: TestBridge[] = [];
beforeAll(async () => {
  a = await startBridge();
  b = await startBridge({ sharesStoreOf: a, publicUrl });
});
afterAll(async () => {
  await b?.stop();
  await a?.stop();
});
const both = (): [TestBridge, TestBridge] => {
  if (a === undefined || b === undefined) throw new Error('both were started');
  return [a, b];
};

const agents: FakeAgent[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close();
});
async function agentAt(
  bridge: Pick<TestBridge, 'url' | 'isConnected'>,
  name: string,
  options: Partial<FakeAgentOptions> = {},
): Promise<FakeAgent> {
  const [first] = both();
  const credential = options.credential ?? (await first.redeem(name, await first.enrol(name, 'olga')));
  const agent = await startFakeAgent(bridge, { ...options, credential });
  agents.push(agent);
  return agent;
}

describe('a node of another bridge', () => {
  it('is listed as connected, and a call says which bridge to ask, and was not made', async () => {
    const [first, second] = both();
    const agent = await agentAt(second, 'far');
    const view = (await (await first.call('/v1/nodes/far', { user: 'olga' })).json()) as NodeView;
    expect(view).toMatchObject({ state: 'connected', bridge_url: publicUrl, connections: 0 });
    expect(await second.readNode('far')).toMatchObject({
      state: 'connected',
      bridge_url: null,
      connections: 1,
    });
    const list = await first.call('/v1/nodes', { user: 'olga' });
    expect(((await list.json()) as { items: NodeView[] }).items).toMatchObject([{ state: 'connected' }]);
    for (const path of ['/v1/nodes/far/jobs/jobs', '/far/psij/submit/session.1']) {
      const answer = await first.call(path, { user: 'olga', method: 'POST' });
      expect([answer.status, answer.headers.get('gantry-bridge')]).toEqual([503, publicUrl]);
      expect(await answer.json()).toMatchObject({
        code: 'node-elsewhere',
        detail: `far is connected to the bridge ${publicUrl}`,
      });
    }
    const refused = await first.call('/v1/nodes/far/disconnect', { user: 'olga', method: 'POST' });
    expect(await refused.json()).toMatchObject({ code: 'node-elsewhere' });
    // Who may not know of the node is not told where it is.
    const stranger = await first.call('/v1/nodes/far/jobs/jobs', { user: 'eve' });
    expect([stranger.status, stranger.headers.get('gantry-bridge')]).toEqual([404, null]);
    expect(agent.asked).toHaveLength(0);
    expect((await second.call('/v1/nodes/far/jobs/jobs', { user: 'olga' })).status).toBe(200);
    await agent.close();
    await until('the node to be gone', async () => (await first.readNode('far')).state === 'disconnected');
    const gone = await first.call('/v1/nodes/far/jobs/jobs');
    expect(await gone.json()).toMatchObject({ code: 'node-unreachable' });
  });

  it('moves with its agent, and the bridge that it left is fenced by the lease', async () => {
    const [first, second] = both();
    const credential = await first.redeem('moving', await first.enrol('moving', 'olga'));
    let isAsked: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    await agentAt(first, 'moving', { credential, handler: () => isAsked(), dialsOnce: true });
    const before = await first.readNode('moving');
    const open = first.call('/v1/nodes/moving/work/long');
    await asked;
    await agentAt(second, 'moving', { credential });
    const after = await second.readNode('moving');
    expect(after).toMatchObject({
      state: 'connected',
      bridge_url: null,
      lease_epoch: before.lease_epoch + 1,
    });
    // The first one finds out by the record, which it reads again every two seconds, and does not wait for its turn.
    await until('the first bridge to know', async () => {
      const answer = await first
        .call('/v1/nodes/moving/work/quick', { signal: AbortSignal.timeout(100) })
        .catch(() => undefined);
      return answer?.headers.get('gantry-bridge') === publicUrl;
    });
    expect(await (await open).json()).toMatchObject({ code: 'node-lost' });
    expect(first.isConnected('moving')).toBe(false);
    expect((await second.call('/v1/nodes/moving/work/quick')).status).toBe(200);
  });

  it('is revoked through either of them', async () => {
    const [first, second] = both();
    const agent = await agentAt(second, 'gone');
    const revoked = await first.call('/v1/nodes/gone/revoke', { user: 'olga', method: 'POST' });
    expect(await revoked.json()).toMatchObject({ state: 'revoked', bridge_url: null });
    await until('the calls to end', async () => (await second.call('/v1/nodes/gone/work/x')).status === 503);
    expect(second.isConnected('gone')).toBe(false);
    await until('a refused attempt', () =>
      agent.dialler.states.some((state) => state.kind === 'waiting' && state.after.kind === 'refused'),
    );
  });

  it('learns a key that the other bridge made, and is in with a credential that it signed', async () => {
    const [first, second] = both();
    expect((await first.call('/v1/bridge/keys', { method: 'POST' })).status).toBe(201);
    const credential = await first.redeem('young', await first.enrol('young'));
    const [{ id } = { id: 0 }] = credential.bridge_keys;
    await agentAt(second, 'young', { credential, keyIds: [id] });
    expect((await second.call('/v1/nodes/young/work/x')).status).toBe(200);
    const listed = (await (await second.call('/v1/bridge/keys')).json()) as { id: number }[];
    expect(listed.at(-1)).toMatchObject({ id, is_current: true });
  });
});

describe('an agent with several connections behind a load balancer', () => {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  });

  it('has all of them at one bridge, wherever each was sent first, and moves with all of them', async () => {
    const ports = both().map(({ url }) => Number(new URL(url).port));
    let next: () => number = () => 0;
    const first: Socket[] = [];
    const server = createServer((near) => {
      const far = connect(ports[next()] ?? 0, '127.0.0.1');
      first.push(near);
      for (const [socket, peer] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => peer.destroy());
        socket.pipe(peer);
      }
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    let count = 0;
    next = () => count++ % 2;
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const isConnected = (name: string) => both().some((bridge) => bridge.isConnected(name));
    const agent = await agentAt({ url, isConnected }, 'spread', { connections: 3 });
    const connections = async () =>
      await Promise.all(both().map(async (bridge) => (await bridge.readNode('spread')).connections));
    await until('all connections at one bridge', async () => (await connections()).includes(3));
    expect(agent.dialler.states.map(({ kind }) => kind)).toEqual(Array(3).fill('connected'));
    // One for the enrolment, one for the first connection, and none for the others.
    expect((await both()[0].readNode('spread')).lease_epoch).toBe(2);

    const here = (await connections()).indexOf(3);
    next = () => 1 - here;
    first[0]?.destroy();
    await until('all connections at the other bridge', async () => (await connections())[1 - here] === 3);
    expect((await connections())[here]).toBe(0);
    expect((await both()[0].readNode('spread')).lease_epoch).toBe(3);
    expect((await both()[1 - here]?.call('/v1/nodes/spread/work/x'))?.status).toBe(200);
  });
});
