import type { Metrics } from '@gantry/telemetry';
import type { CallLimits } from './usecases/call-limits.js';
import type { EventHub } from './usecases/event-hub.js';
import type { NodeRegistry } from './usecases/node-registry.js';

export function observeBridge(
  metrics: Metrics,
  parts: { readonly registry: NodeRegistry; readonly limits: CallLimits; readonly hub: EventHub },
): void {
  metrics.gauge('nodes_connected', 'Nodes that are connected to this bridge', [], (gauge) =>
    gauge.set(parts.registry.holders.length),
  );
  metrics.gauge('node_calls_in_flight', 'Calls to nodes that are under way', [], (gauge) =>
    gauge.set(parts.limits.inFlight),
  );
  metrics.gauge('event_readers', 'Readers of events', [], (gauge) => gauge.set(parts.hub.readers));
}
