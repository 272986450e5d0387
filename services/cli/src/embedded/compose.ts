/**
 * The whole platform as one process: the only place that puts several services together.
 *
 * The order of the parts is the order of their needs: store and broker, the cloud frontend, the bridge and the agent of
 * this machine, the enrolment of the one cluster there is, the edge frontend, the runtime. They stop in reverse, so that nobody loses what it stands on.
 */
import { createBridge } from '@gantry/bridge';
import { type Broker, InProcessServer, isInProcessUrl, openBroker } from '@gantry/broker';
import { createCloudFrontend } from '@gantry/cloud-frontend';
import { ConfigError, isProduction, loadFlavours, storeUrlOf } from '@gantry/config';
import {
  createEdgeFrontend,
  drainSecondsOf,
  type EdgeFrontend,
  FleetScaler,
  isLoopbackHost,
  keepRuntimeCredential,
  linkInProcess,
  readRuntimeCredential,
} from '@gantry/edge-frontend';
import {
  createRuntime,
  createRuntimeMetrics,
  defaultRuntimeOptions,
  type Isolations,
  type RuntimeOptions,
  resolveIsolations,
  toRuntimeOptions,
} from '@gantry/executor';
import { createMetricsServer, readVersion } from '@gantry/http';
import { type Logger, newProcessId, type Part } from '@gantry/kernel';
import { openStore } from '@gantry/store';
import { createLogger, createMetrics } from '@gantry/telemetry';
import type { EmbeddedConfig } from './config.js';
import { enrolmentFile } from './enrolment-file.js';
import { LocalAgent, localNodeName } from './local-agent.js';
import { startWarnings } from './start-warnings.js';
import { SupervisorFleet } from './supervisor-fleet.js';

export interface Embedded {
  readonly parts: readonly Part[];
  readonly logger: Logger;
  /** What follows is known once the parts have started. */
  readonly cloudUrl: string;
  readonly edgeUrl: string;
  readonly bridgeUrl: string;
  /** Name of the node that this machine is; undefined when it is none. */
  readonly node: string | undefined;
  readonly metricsUrl: string;
  /** How functions are separated from this machine: the level of each flavour, and why it is no stronger one. */
  readonly isolation: readonly string[];
  /** What looks like a mistake in the settings and stopped nothing. */
  readonly warnings: readonly string[];
}

const packageUrl = new URL('../../package.json', import.meta.url);

/**
 * @throws {ConfigError} when the settings do not fit together
 * @throws {IsolationError} when the level asked for cannot be had
 * @throws {Error} when the store cannot be opened
 */
export async function composeEmbedded(config: EmbeddedConfig): Promise<Embedded> {
  const definitions = loadFlavours(config);
  const runtimeOptions: RuntimeOptions = {
    ...defaultRuntimeOptions,
    ...toRuntimeOptions(config),
    ...{ runtimeId: newProcessId('r'), flavours: config.edge.flavours, definitions },
    isProduction: isProduction(),
    topology: { replicated: config.broker.isCluster },
  };
  const isolations = await resolveIsolations(runtimeOptions);
  refuseOpenListeners(config, isolations);
  const logger = createLogger({ service: 'gantry', ...config.log });
  const metrics = createMetrics();
  const warnings = startWarnings(config, definitions);
  for (const reason of warnings) logger.warn('a setting looks mistaken', { op: 'service.start', reason });
  const runtimeCredential = runtimeCredentialOf(config);
  const store = await openStore({ url: storeUrlOf(config), logger });
  const inProcess = isInProcessUrl(config.broker.url) ? new InProcessServer({ logger }) : undefined;
  const connectAs = (name: string) =>
    openBroker({
      url: config.broker.url,
      connectionName: `gantry ${name}`,
      logger,
      ...(inProcess === undefined ? {} : { inProcess }),
      ...(config.broker.caFile === '' ? {} : { caFile: config.broker.caFile }),
    });
  const [edgeBroker, runtimeBroker] = [await connectAs('edge-frontend'), await connectAs('runtime')];

  const shared = { config, store, logger, metrics };
  const cloud = createCloudFrontend({ ...shared, version: readVersion('cloud-frontend', packageUrl) });
  const bridge = createBridge({
    ...shared,
    version: readVersion('bridge', packageUrl),
    // One verifier for both: each has threads of its own, which a start waits for.
    cloud: { verify: (token) => cloud.link.verifyToken(token), hasKeys: true },
    ...(config.localAgent.isEnabled ? { ownMachine: localNodeName(config.localAgent.name) } : {}),
  });
  const localAgent = config.localAgent.isEnabled
    ? new LocalAgent({
        ...{ bridge: bridge.link, bridgeUrl: () => bridge.url, dataDir: config.dataDir, logger },
        ...{ name: config.localAgent.name, logLevel: config.log.level, logFormat: config.log.format },
      })
    : undefined;
  let enrolmentToken = '';
  const cluster = {
    name: config.edge.name,
    get enrolmentToken() {
      return enrolmentToken;
    },
  };
  const fleet = new SupervisorFleet({
    maxRuntimes: config.edge.maxScaledRuntimes,
    drainMs: drainSecondsOf(config) * 1000,
    make: async (flavour) => {
      const broker = await connectAs('further runtime');
      return { runtime: newRuntime(broker, [flavour]), close: () => broker.close() };
    },
  });
  const edge: EdgeFrontend = createEdgeFrontend({
    ...shared,
    version: readVersion('edge-frontend', packageUrl),
    broker: edgeBroker,
    definitions,
    cloud: linkInProcess(cloud.link, cluster),
    runtimeCredential,
    scaler: fleet.maxRuntimes === 0 ? undefined : new FleetScaler(fleet),
  });
  const runtimeMetrics = createRuntimeMetrics(metrics);
  const newRuntime = (broker: Broker, flavours: readonly string[]) =>
    createRuntime(
      { broker, payloads: edge.payloads, logger, metrics: runtimeMetrics, isolations },
      { ...runtimeOptions, runtimeId: newProcessId('r'), flavours },
    );
  const runtime = newRuntime(runtimeBroker, config.edge.flavours);
  const metricsServer = createMetricsServer(config.metrics, [metrics]);
  const enrolment: Part = {
    name: 'enrolment',
    start: async () => {
      const file = enrolmentFile(config.dataDir);
      const kept = file.read(config.edge.name);
      enrolmentToken = await cloud.link.keepEnrolment(config.edge.name, kept);
      if (enrolmentToken !== kept) file.write(config.edge.name, enrolmentToken);
    },
  };
  return {
    parts: [
      { name: 'store', stop: () => store.close() },
      { name: 'broker of the edge frontend', stop: () => edgeBroker.close() },
      { name: 'broker of the runtime', stop: () => runtimeBroker.close() },
      metricsServer,
      ...cloud.parts,
      ...bridge.parts,
      ...(localAgent === undefined ? [] : [localAgent]),
      enrolment,
      ...edge.parts,
      runtime,
      { name: 'further runtimes', stop: () => fleet.stop() },
      ...(localAgent === undefined ? [] : [untilConnected(localAgent, logger)]),
    ],
    logger,
    isolation: describeLevels(isolations),
    warnings,
    get cloudUrl() {
      return cloud.url;
    },
    get edgeUrl() {
      return edge.url;
    },
    get bridgeUrl() {
      return bridge.url;
    },
    node: localAgent?.nodeName,
    get metricsUrl() {
      return `${metricsServer.url}/metrics`;
    },
  };
}

/** What runtimes as processes beside this one fetch code with; none can join a broker inside this process. */
function runtimeCredentialOf({ broker, dataDir, edge }: EmbeddedConfig): string | undefined {
  if (edge.runtimeCredentialFile !== '') return readRuntimeCredential(edge.runtimeCredentialFile);
  return isInProcessUrl(broker.url) ? undefined : keepRuntimeCredential(dataDir);
}

/** Its first list of nodes should have it; that it comes late stops nothing. */
const untilConnected = (agent: LocalAgent, logger: Logger): Part => ({
  name: 'connection of the local agent',
  start: async () => {
    if (!(await agent.connected()))
      logger.warn('the local agent has not connected yet', { node: agent.nodeName });
  },
});

/** `sandbox (Nature, GPU)`, and why where it could not be stronger. */
function describeLevels(isolations: Isolations): string[] {
  const byLevel = new Map<string, string[]>();
  for (const [flavour, { level, weakerBecause }] of isolations) {
    const text = weakerBecause === undefined ? level : `${level}, because ${weakerBecause}`;
    byLevel.set(text, [...(byLevel.get(text) ?? []), flavour]);
  }
  return [...byLevel].map(([text, flavours]) => `${text} (${flavours.join(', ')})`);
}

/** The levels below a sandbox are for people who trust each other: they are not offered to a network. */
function refuseOpenListeners({ cloud, edge }: EmbeddedConfig, isolations: Isolations): void {
  const open = [cloud.host, edge.host].filter((host) => !isLoopbackHost(host));
  if (open.length === 0) return;
  for (const [flavour, { level, weakerBecause }] of isolations) {
    if (level !== 'thread' && level !== 'process') continue;
    const why = weakerBecause === undefined ? '' : ` (${weakerBecause})`;
    throw new ConfigError([
      `flavour "${flavour}" has the isolation level "${level}"${why}, which is for loopback listeners only, and ` +
        `${open.join(' and ')} is none: listen on 127.0.0.1 and put a proxy in front, or make the level "sandbox" work`,
    ]);
  }
}
