/**
 * The whole platform as one process: the only place that puts several services together.
 *
 * The order of the parts is the order of their needs: store and broker, the cloud frontend, the enrolment of the one
 * cluster there is, the edge frontend, the runtime. They stop in reverse, so that nobody loses what it stands on.
 */
import { InProcessServer, isInProcessUrl, openBroker } from '@gantry/broker';
import { createCloudFrontend } from '@gantry/cloud-frontend';
import { storeUrlOf } from '@gantry/config';
import { createEdgeFrontend, isLoopbackHost, linkInProcess } from '@gantry/edge-frontend';
import { createRuntime, createRuntimeMetrics, toRuntimeOptions } from '@gantry/executor';
import { createMetricsServer, readVersion } from '@gantry/http';
import { type Logger, newProcessId, type Part } from '@gantry/kernel';
import { openStore } from '@gantry/store';
import { createLogger, createMetrics } from '@gantry/telemetry';
import type { EmbeddedConfig } from './config.js';

export interface Embedded {
  readonly parts: readonly Part[];
  readonly logger: Logger;
  /** What follows is known once the parts have started. */
  readonly cloudUrl: string;
  readonly edgeUrl: string;
  readonly metricsUrl: string;
}

const packageUrl = new URL('../../package.json', import.meta.url);

/** @throws {Error} when the settings do not fit together, or the store cannot be opened */
export async function composeEmbedded(config: EmbeddedConfig): Promise<Embedded> {
  refuseOpenListeners(config);
  const logger = createLogger({ service: 'gantry', ...config.log });
  const metrics = createMetrics();
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
  let enrolmentToken = '';
  const cluster = {
    name: config.edge.name,
    get enrolmentToken() {
      return enrolmentToken;
    },
  };
  const edge = createEdgeFrontend({
    ...shared,
    version: readVersion('edge-frontend', packageUrl),
    broker: edgeBroker,
    cloud: linkInProcess(cloud.link, cluster),
  });
  const runtime = createRuntime(
    { broker: runtimeBroker, payloads: edge.payloads, logger, metrics: createRuntimeMetrics(metrics) },
    {
      ...toRuntimeOptions(config),
      runtimeId: newProcessId('r'),
      flavours: config.edge.flavours,
      topology: { replicated: config.broker.isCluster },
    },
  );
  const metricsServer = createMetricsServer(config.metrics, [metrics]);
  const enrolment: Part = {
    name: 'enrolment',
    start: async () => {
      enrolmentToken = await cloud.link.enrolCluster(config.edge.name);
    },
  };
  return {
    parts: [
      { name: 'store', stop: () => store.close() },
      { name: 'broker of the edge frontend', stop: () => edgeBroker.close() },
      { name: 'broker of the runtime', stop: () => runtimeBroker.close() },
      metricsServer,
      ...cloud.parts,
      enrolment,
      ...edge.parts,
      runtime,
    ],
    logger,
    get cloudUrl() {
      return cloud.url;
    },
    get edgeUrl() {
      return edge.url;
    },
    get metricsUrl() {
      return `${metricsServer.url}/metrics`;
    },
  };
}

/** The isolation of this release is for people who trust each other: it is not offered to a network. */
function refuseOpenListeners({ cloud, edge, runtime }: EmbeddedConfig): void {
  const open = [cloud.host, edge.host].filter((host) => !isLoopbackHost(host));
  if (open.length > 0 && (runtime.isolation === 'thread' || runtime.isolation === 'process'))
    throw new Error(
      `isolation level "${runtime.isolation}" is for loopback listeners only, and ${open.join(' and ')} is none. ` +
        'Listen on 127.0.0.1 and put a proxy in front.',
    );
}
