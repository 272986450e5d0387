import type { Metrics } from '@gantry/telemetry';

/** What the agent counts; libraries of plugins use `Metrics` themselves. */
export interface AgentMetrics {
  callDone(
    plugin: string | undefined,
    outcome: 'ok' | 'refused' | 'failed' | 'left',
    durationMs: number,
  ): void;
  pluginState(plugin: string, isRunning: boolean): void;
  eventsDropped(count: number): void;
}

export function createAgentMetrics(metrics: Metrics): AgentMetrics {
  const calls = metrics.counter('plugin_calls_total', 'Calls by plugin and outcome', ['plugin', 'outcome']);
  const seconds = metrics.histogram('plugin_call_seconds', 'Time from request to the end of the answer', [
    'plugin',
  ]);
  const running = metrics.gauge('plugin_running', '1 while the plugin runs', ['plugin']);
  const dropped = metrics.counter('events_dropped_total', 'Events lost because the spool was full');
  return {
    callDone: (plugin = 'none', outcome, durationMs) => {
      calls.inc({ plugin, outcome });
      seconds.observe({ plugin }, durationMs / 1000);
    },
    pluginState: (plugin, isRunning) => running.set({ plugin }, isRunning ? 1 : 0),
    eventsDropped: (count) => dropped.inc(count),
  };
}
