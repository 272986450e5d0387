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

  it.each(['sysinfo', 'psij', 'staging', 'jobs', 'files'])(
    'answers what every plugin of RADICAL Edge answers, called %s, and keeps sessions to their creators',
    async (plugin) => {
      const rights = ['sysinfo:*', 'jobs:*', 'files:*'];
      const grants = ['ada', 'bob'].map((user) => ({ user, rights }));
      await bridge.call('/v1/nodes/lab-1/grants', { user: 'olga', method: 'PUT', json: grants });
      const base = `/t/${await bridge.tokenOf('ada')}/lab-1/${plugin}`;
      const ofAda = async (path: string, method = 'GET') => {
        const answer = await bridge.call(`${base}/${path}`, { user: 'none', method });
        return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
      };
      const statusOfBob = async (path: string, method = 'GET') =>
        (await bridge.call(`/lab-1/${plugin}/${path}`, { user: 'bob', method })).status;
      const { sid } = (await ofAda('register_session', 'POST')).body;
      expect(sid).toMatch(/^session\.[0-9a-f]{32}$/);
      expect(await ofAda('version')).toEqual({ status: 200, body: { version: expect.any(String) } });
      expect((await ofAda('health')).body).toMatchObject({ plugin, active_sessions: expect.any(Number) });
      expect((await ofAda('ui_config')).body).toMatchObject({ plugin_name: plugin, ui: expect.any(Object) });
      expect((await ofAda('list_sessions')).body).toEqual({ sessions: [sid] });
      const listed = await bridge.call(`/lab-1/${plugin}/list_sessions`, { user: 'bob' });
      expect(await listed.json()).toEqual({ sessions: [] });
      expect(await statusOfBob(`unregister_session/${String(sid)}`, 'POST')).toBe(404);
      expect((await ofAda(`unregister_session/${String(sid)}`, 'POST')).body).toEqual({ ok: true });
      expect((await ofAda(`unregister_session/${String(sid)}`, 'POST')).status).toBe(404);
    },
  );

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
