import { AsyncLocalStorage } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { AgentInfo, BridgeKeys } from '@gantry/contracts';
import { type Clock, DeadlineWheel, type Logger, type Part, systemClock } from '@gantry/kernel';
import { createMetrics, type Metrics } from '@gantry/telemetry';
import { createAgentMetrics } from './core/agent-metrics.js';
import { createCorePlugin } from './core/core-plugin.js';
import { EventSpool } from './core/event-spool.js';
import { PluginHost } from './core/plugin-host.js';
import type { LocalSettings } from './core/plugin-settings.js';
import { createPluginThreads } from './core/plugin-threads.js';
import type { AgentPlugin, PluginContext, VerifyCaller } from './core/ports.js';
import { type AgentRequestHandler, buildRequestHandler } from './core/request-handler.js';
import { makePrivateFolder, openStateFolder, type StateFolder } from './core/state-folder.js';

export interface AgentLimits {
  readonly maxConcurrentCalls: number;
  readonly maxConcurrentCallsPerUser: number;
  readonly maxAbandonedCalls: number;
  readonly maxThreadsPerPlugin: number;
  readonly maxSpooledEvents: number;
  readonly maxSpooledBytes: number;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly streamIdleMs: number;
  readonly heartbeatMs: number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
}

export const defaultLimits: AgentLimits = {
  maxConcurrentCalls: 256,
  maxConcurrentCallsPerUser: 64,
  maxAbandonedCalls: 256,
  maxThreadsPerPlugin: 4,
  maxSpooledEvents: 20_000,
  maxSpooledBytes: 16 * 1024 * 1024,
  startTimeoutMs: 30_000,
  stopTimeoutMs: 5000,
  streamIdleMs: 120_000,
  heartbeatMs: 10_000,
  retryBaseMs: 1000,
  retryMaxMs: 60_000,
};

export interface EdgeAgentOptions {
  readonly node: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Everything that survives a restart; made with mode 0700. */
  readonly dataDir: string;
  readonly plugins: readonly AgentPlugin[];
  /** Settings of plugins on the machine itself; the bridge's document goes over them key by key. */
  readonly settings?: LocalSettings;
  readonly verifyCaller: VerifyCaller;
  /** Keeps the keys that the bridge signs with from now on, by its own word. Default: they stay as they are. */
  readonly learnKeys?: (keys: BridgeKeys) => Promise<void>;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  readonly limits?: Partial<AgentLimits>;
}

export interface EdgeAgent {
  /** Answers `/<plugin>/<path>` on HTTP/1.1 and HTTP/2; valid once the parts are started. */
  readonly handler: AgentRequestHandler;
  /** In the order to start. */
  readonly parts: readonly Part[];
  info(): AgentInfo;
  /** The plugin whose code runs right now, for errors that nobody caught. */
  runningPlugin(): string | undefined;
  /** Stops a plugin that failed outside of a call, and starts it again later. */
  failPlugin(name: string, reason: string): Promise<void>;
}

/** Puts an agent together: its spool, its plugins, and the handler of what the bridge sends. */
export function buildEdgeAgent(options: EdgeAgentOptions): EdgeAgent {
  const { logger, clock = systemClock } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const metrics = createAgentMetrics(options.metrics ?? createMetrics());
  const running = new AsyncLocalStorage<string>();
  const stopping = new AbortController();
  // Each running call listens to it.
  setMaxListeners(0, stopping.signal);
  const startedAt = new Date(clock.now()).toISOString();
  let folder: StateFolder | undefined;
  let spool: EventSpool | undefined;
  let host: PluginHost | undefined;

  const ready = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('The agent is not started');
    return part;
  };

  const contextFor = (plugin: AgentPlugin, config: unknown, signal: AbortSignal): PluginContext => ({
    node: options.node,
    config,
    dataDir: join(options.dataDir, 'plugins', plugin.name),
    logger: withPluginName(logger, plugin.name),
    clock,
    events: {
      emit: (topic, data, emit) => ready(spool).emit(plugin.name, topic, data, emit),
      flush: () => ready(spool).flush(),
    },
    threads: createPluginThreads({ maxThreads: limits.maxThreadsPerPlugin, signal }),
    healthChanged: () => tellInfo(),
    signal,
  });

  const info = (): AgentInfo => {
    const { epoch, lastSeq, acknowledged, waiting, droppedTotal } = ready(spool).stats;
    return {
      node: options.node,
      version: options.version,
      started_at: startedAt,
      labels: { ...options.labels },
      facts: ready(host).facts(),
      plugins: [...ready(host).list()],
      config: { ...ready(host).config },
      events: { epoch, last_seq: lastSeq, acknowledged, waiting, dropped_total: droppedTotal },
    };
  };

  const tellInfo = (): void => ready(spool).emit('agent', 'info', info(), { isState: true });

  const startHost = async (): Promise<void> => {
    const core = createCorePlugin({
      version: options.version,
      info,
      configure: (document) => ready(host).configure(document),
      check: (document) => ready(host).check(document),
      learnKeys: options.learnKeys ?? (async () => undefined),
      spool: ready(spool),
    });
    const plugins = [core, ...options.plugins];
    for (const plugin of plugins) await makePrivateFolder(join(options.dataDir, 'plugins', plugin.name));
    host = new PluginHost({
      plugins: plugins.map((plugin) => inside(plugin, running)),
      local: options.settings ?? {},
      documentPath: join(options.dataDir, 'settings.json'),
      contextFor,
      limits,
      retry: { baseMs: limits.retryBaseMs, maxMs: limits.retryMaxMs },
      metrics,
      logger,
      clock,
      onChange: tellInfo,
    });
    await host.start();
  };

  const wheel = new DeadlineWheel();
  const handler = buildRequestHandler({
    findPlugin: (name) => ready(host).find(name),
    verifyCaller: options.verifyCaller,
    running,
    metrics,
    logger,
    clock,
    wheel,
    streamIdleMs: limits.streamIdleMs,
    heartbeatMs: limits.heartbeatMs,
    signal: stopping.signal,
  });

  return {
    handler,
    info,
    runningPlugin: () => running.getStore(),
    failPlugin: (name, reason) => ready(host).fail(name, reason),
    parts: [
      {
        name: 'state folder',
        start: async () => {
          folder = await openStateFolder(options.dataDir);
        },
        stop: () => folder?.release(),
      },
      {
        name: 'event spool',
        start: async () => {
          spool = await EventSpool.open({
            folder: options.dataDir,
            maxEvents: limits.maxSpooledEvents,
            maxBytes: limits.maxSpooledBytes,
            clock,
            logger,
            onDropped: (count) => metrics.eventsDropped(count),
          });
        },
        stop: () => spool?.close(),
      },
      {
        name: 'plugins',
        start: startHost,
        stop: async () => {
          stopping.abort();
          await host?.stop();
          wheel.clear();
        },
      },
    ],
  };
}

/** Everything that the plugin starts from its own code is known to be its own. */
function inside(plugin: AgentPlugin, running: AsyncLocalStorage<string>): AgentPlugin {
  return {
    name: plugin.name,
    aliases: plugin.aliases,
    version: plugin.version,
    configSchema: plugin.configSchema,
    ...(plugin.ui === undefined ? {} : { ui: plugin.ui }),
    isSupported: (context) => running.run(plugin.name, () => plugin.isSupported(context)),
    start: (context) => running.run(plugin.name, () => plugin.start(context)),
  };
}

function withPluginName(logger: Logger, plugin: string): Logger {
  const add = (fields?: Readonly<Record<string, unknown>>) => ({ plugin, ...fields });
  return {
    error: (message, fields) => logger.error(message, add(fields)),
    warn: (message, fields) => logger.warn(message, add(fields)),
    info: (message, fields) => logger.info(message, add(fields)),
    debug: (message, fields) => logger.debug(message, add(fields)),
  };
}
