import type { Clock } from '@gantry/kernel';
import type { AgentPlugin, PluginRoute, RunningPlugin } from './ports.js';
import type { Sessions } from './sessions.js';

/** The routes that every plugin has, in the words of the older edge services. */
export function buildSessionRoutes(
  plugin: AgentPlugin,
  running: RunningPlugin,
  sessions: Sessions,
  clock: Clock,
): readonly PluginRoute[] {
  const startedAtMs = clock.monotonicMs();
  const open: PluginRoute = {
    method: 'POST',
    path: '/register_session',
    permission: 'any',
    handler: async (call) => ({ json: { sid: sessions.open(call.caller.user).sid } }),
  };
  const close: PluginRoute = {
    method: 'POST',
    // Not `:sid`: this route closes the session itself, so that an expired one is reported once.
    path: '/unregister_session/:id',
    permission: 'any',
    handler: async (call) => {
      sessions.close(call.params['id'] ?? '', call.caller.user);
      return { json: { ok: true } };
    },
  };
  const health = (mountedAs: string) => {
    const { status, detail } = healthOf(running);
    return {
      status,
      plugin: mountedAs,
      version: plugin.version,
      uptime_seconds: Math.round((clock.monotonicMs() - startedAtMs) / 1000),
      active_sessions: sessions.activeCount,
      ...(detail === undefined ? {} : { detail }),
    };
  };
  return [
    open,
    close,
    get('/version', async () => ({ json: { version: plugin.version } })),
    get('/list_sessions', async (call) => ({ json: { sessions: sessions.listOf(call.caller.user) } })),
    get('/health', async (call) => ({ json: health(call.mountedAs) })),
    get('/ui_config', async (call) => ({
      json: {
        plugin_name: call.mountedAs,
        instance_name: call.mountedAs,
        version: plugin.version,
        ui: plugin.ui ?? {},
      },
    })),
  ];
}

const get = (path: string, handler: PluginRoute['handler']): PluginRoute => ({
  method: 'GET',
  path,
  permission: 'any',
  handler,
});

/** What a plugin says about itself; one that throws is not healthy. */
export function healthOf(running: RunningPlugin): ReturnType<RunningPlugin['health']> {
  try {
    return running.health();
  } catch (error) {
    return { status: 'failed', detail: `health() failed: ${String(error).slice(0, 200)}` };
  }
}
