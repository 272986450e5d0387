/** What every plugin of the agent keeps, whatever it does. Run it in a test beside the plugin. */

import type { Clock } from '@gantry/kernel';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AgentPlugin, PluginRoute } from '../core/ports.js';
import { sessionTtlMs } from '../core/sessions.js';
import { type RunningAgent, startAgent } from '../test-support/start-agent.js';

export interface PluginContractOptions {
  readonly plugin: AgentPlugin;
  /** Settings that make it run on this machine; none unless given. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** A clock that tests move. */
class MovableClock implements Clock {
  #aheadMs = 0;
  now = (): number => Date.now() + this.#aheadMs;
  monotonicMs = (): number => performance.now() + this.#aheadMs;
  forward(ms: number): void {
    this.#aheadMs += ms;
  }
}

const shared = ['version', 'health', 'ui_config', 'list_sessions'];

export function describeAgentPlugin({ plugin, settings = {} }: PluginContractOptions): void {
  describe(`the plugin ${plugin.name} keeps the contract of plugins`, () => {
    const clock = new MovableClock();
    let running: RunningAgent;
    let routes: readonly PluginRoute[] = [];
    const names = [plugin.name, ...plugin.aliases];

    beforeAll(async () => {
      running = await startAgent([observed(plugin, (seen) => (routes = seen))], {
        clock,
        settings: { [plugin.name]: settings },
      });
    });
    afterAll(() => running.stop());

    const open = async (user: string): Promise<string> => {
      const response = await running.call(`/${plugin.name}/register_session`, { user, json: {} });
      expect(response.status).toBe(200);
      return ((await response.json()) as { sid: string }).sid;
    };
    const close = (sid: string, user: string) =>
      running.call(`/${plugin.name}/unregister_session/${sid}`, { user, method: 'POST' });
    const list = async (user: string) =>
      (
        (await (await running.call(`/${plugin.name}/list_sessions`, { user })).json()) as {
          sessions: string[];
        }
      ).sessions;

    it('runs, and says so', () => {
      const info = running.agent.info().plugins.find(({ name }) => name === plugin.name);
      expect(info).toMatchObject({ state: 'running', reason: null, version: plugin.version });
      expect(['healthy', 'degraded']).toContain(info?.health?.status);
    });

    it('has complete defaults and refuses settings that it does not know', () => {
      expect(plugin.configSchema.safeParse({}).success).toBe(true);
      expect(plugin.configSchema.safeParse({ noSuchSetting: 1 }).success).toBe(false);
    });

    it('asks for rights of its own on every route', () => {
      expect(routes.length).toBeGreaterThan(0);
      for (const { permission } of routes)
        expect(permission === 'any' || permission.startsWith(`${plugin.name}:`)).toBe(true);
    });

    it('lets nobody in without a statement or the right', async () => {
      for (const route of routes) {
        const path = `/${plugin.name}${filled(route.path)}`;
        const nobody = await fetch(running.url + path, { method: route.method });
        expect([path, nobody.status]).toEqual([path, 401]);
        const stranger = await running.call(path, { method: route.method, rights: ['other:read'] });
        expect([path, stranger.status]).toEqual([path, 403]);
      }
    });

    it('answers garbage with a refusal, never with a failure of its own', async () => {
      for (const route of routes) {
        const path = `/${plugin.name}${filled(route.path)}`;
        const bodies = route.method === 'GET' ? [undefined] : ['{"garbage":[1]}', '{"', '[]', ''];
        for (const body of bodies) {
          const response = await running.call(path, {
            method: route.method,
            ...(body === undefined ? {} : { body }),
          });
          expect([route.method, path, body, response.status < 500]).toEqual([route.method, path, body, true]);
          await response.body?.cancel();
        }
      }
    });

    it.each(names)('answers what all plugins answer, called %s', async (name) => {
      const version = await running.call(`/${name}/version`);
      expect(await version.json()).toEqual({ version: plugin.version });
      const health = (await (await running.call(`/${name}/health`)).json()) as Record<string, unknown>;
      expect(health).toMatchObject({ plugin: name, version: plugin.version });
      expect(typeof health['uptime_seconds']).toBe('number');
      expect(typeof health['active_sessions']).toBe('number');
      const ui = await (await running.call(`/${name}/ui_config`)).json();
      expect(ui).toMatchObject({ plugin_name: name, instance_name: name, version: plugin.version });
    });

    it('gives those answers to whoever has some right to the plugin, and to nobody else', async () => {
      for (const path of shared) {
        const some = await running.call(`/${plugin.name}/${path}`, { rights: [`${plugin.name}:some-right`] });
        expect([path, some.status]).toEqual([path, 200]);
        const none = await running.call(`/${plugin.name}/${path}`, { rights: [] });
        expect([path, none.status]).toEqual([path, 403]);
      }
    });

    it('keeps sessions to their creators', async () => {
      const sid = await open('ada');
      expect(sid).toMatch(/^session\.[0-9a-f]{32}$/);
      expect(await list('ada')).toContain(sid);
      expect(await list('bob')).toEqual([]);
      expect((await close(sid, 'bob')).status).toBe(404);
      for (const route of routes.filter(({ path }) => path.includes('/:sid'))) {
        const path = `/${plugin.name}${filled(route.path).replace('/x', `/${sid}`)}`;
        const response = await running.call(path, { user: 'bob', method: route.method });
        expect([path, response.status]).toEqual([path, 404]);
      }
      const ended = await close(sid, 'ada');
      expect(await ended.json()).toEqual({ ok: true });
      expect((await close(sid, 'ada')).status).toBe(404);
    });

    it('ends a session after an hour without use: 410 once, then 404', async () => {
      const used = await open('ada');
      const idle = await open('ada');
      clock.forward(sessionTtlMs - 1000);
      expect((await close(used, 'ada')).status).toBe(200);
      clock.forward(2000);
      const gone = await close(idle, 'ada');
      expect(gone.status).toBe(410);
      expect((await gone.json()) as unknown).toMatchObject({ code: 'session-expired' });
      const forgotten = await close(idle, 'ada');
      expect(forgotten.status).toBe(404);
      expect(((await forgotten.json()) as { detail: string }).detail).toContain('unknown session id');
    });

    it('takes its own settings anew while it runs', async () => {
      const put = (revision: number, plugins: unknown) =>
        running.call('/agent/config', {
          method: 'PUT',
          json: { revision, plugins },
          rights: ['agent:bridge'],
        });
      expect((await put(1, { [plugin.name]: settings })).status).toBe(200);
      const refused = await put(2, { [plugin.name]: { ...settings, noSuchSetting: 1 } });
      expect(refused.status).toBe(422);
      expect((await running.call(`/${plugin.name}/health`)).status).toBe(200);
    });
  });
}

const filled = (path: string): string => path.replaceAll(/:\w+\*?/g, 'x');

/** The plugin itself, telling what routes it has. */
function observed(plugin: AgentPlugin, see: (routes: readonly PluginRoute[]) => void): AgentPlugin {
  return {
    name: plugin.name,
    aliases: plugin.aliases,
    version: plugin.version,
    configSchema: plugin.configSchema,
    ...(plugin.ui === undefined ? {} : { ui: plugin.ui }),
    isSupported: (context) => plugin.isSupported(context),
    start: async (context) => {
      const running = await plugin.start(context);
      see(running.routes);
      return running;
    },
  };
}
