/** An agent as a process of its own dials in, and what is inside it is reachable through the bridge. */
import { type NodeView, sysinfoMetricsSchema } from '@gantry/contracts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startBridge, type TestBridge } from '../support/bridge.js';

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await startBridge();
  await bridge.startAgent('lab-1', 'olga');
});
afterAll(() => bridge.stop());

describe('the bridge', () => {
  it('says that it is ready, and describes its routes', async () => {
    expect((await bridge.call('/readyz?verbose', { user: 'none' })).status).toBe(200);
    const document = (await (await bridge.call('/openapi.json', { user: 'none' })).json()) as {
      paths: object;
    };
    for (const path of ['/v1/nodes', '/v1/nodes/{name}/grants', '/edge/list'])
      expect(document.paths).toHaveProperty([path]);
  });
});

describe('a node that dialled in', () => {
  it('is listed with what it is, and answers through the tunnel', async () => {
    const list = (await (await bridge.call('/v1/nodes', { user: 'olga' })).json()) as { items: NodeView[] };
    expect(list.items).toMatchObject([{ name: 'lab-1', state: 'connected', owner: 'olga', kind: 'gantry' }]);
    const answer = await bridge.call('/v1/nodes/lab-1/sysinfo/metrics', { user: 'olga' });
    expect(answer.status).toBe(200);
    expect(sysinfoMetricsSchema.parse(await answer.json()).memory.total).toBeGreaterThan(0);
  });

  it('enforces the rights that the bridge resolved', async () => {
    const grants = [{ user: 'bob', rights: ['sysinfo:read'] }];
    await bridge.call('/v1/nodes/lab-1/grants', { user: 'olga', method: 'PUT', json: grants });
    const status = async (path: string) =>
      (await bridge.call(`/v1/nodes/lab-1/${path}`, { user: 'bob' })).status;
    expect(await status('sysinfo/metrics')).toBe(200);
    expect(await status('files/roots')).toBe(403);
    expect(await status('agent/info')).toBe(403);
    // The bridge's own rights are nobody else's, not the owner's either.
    expect((await bridge.call('/v1/nodes/lab-1/agent/events', { user: 'olga' })).status).toBe(403);
  });

  it('is there for clients of RADICAL Edge too, with sessions of their own', async () => {
    const base = `/lab-1/sysinfo`;
    const opened = await bridge.call(`${base}/register_session`, { user: 'olga', method: 'POST' });
    const { sid } = (await opened.json()) as { sid: string };
    expect(sid).toMatch(/^session\./);
    expect((await bridge.call(`${base}/metrics/${sid}`, { user: 'olga' })).status).toBe(200);
    expect((await bridge.call(`${base}/metrics/${sid}`, { user: 'bob' })).status).not.toBe(200);
    expect(await (await bridge.call('/edges', { user: 'olga' })).json()).toMatchObject({
      total: 1,
      edges: [{ name: 'lab-1', plugins: expect.arrayContaining(['sysinfo', 'files', 'staging']) }],
    });
  });
});
