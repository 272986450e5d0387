import { createHash, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { checkBroker } from '@gantry/broker';
import { buildHttpApp, createHttpServer, type ReadinessCheck, type Route } from '@gantry/http';
import { AppError, newProcessId, type Part, systemClock } from '@gantry/kernel';
import type { EdgeStore } from '@gantry/store';
import { BiscuitVerifier } from '@gantry/tokens';
import { keyFile } from './adapters/key-file/key-file.js';
import { buildBackgroundParts } from './background-parts.js';
import { buildClusterReport } from './cluster-report.js';
import { buildCore } from './compose-core.js';
import type { EdgeDeps } from './deps.js';
import { createEdgeMetrics, observeEdge } from './edge-metrics.js';
import type { EdgeFrontendOptions } from './edge-options.js';
import { topologiesOf } from './edge-topology.js';
import { buildReadiness } from './readiness.js';
import { deviceMetricsRoute } from './routes/device-metrics.js';
import { executeRoute } from './routes/execute-function.js';
import { executionRoutes } from './routes/executions.js';
import { flavoursRoute } from './routes/flavours.js';
import { payloadRoute } from './routes/payloads.js';
import { scaleRoute } from './routes/scale-runtimes.js';
import { KeyFollower } from './usecases/follow-keys.js';
import { ClusterRegistration } from './usecases/register-cluster.js';

export interface EdgeFrontend {
  /** To be started in this order and stopped in reverse. */
  readonly parts: readonly Part[];
  /** `http://host:port`, once started. */
  readonly url: string;
  readonly readiness: readonly ReadinessCheck[];
  /** Code and large parameters for runtimes of the same process. */
  readonly payloads: {
    /** @throws {AppError} payload-not-found, store-unavailable */
    fetch(sha256: string): Promise<Buffer>;
  };
}

const brokerStartTimeoutMs = 2000;

/**
 * An edge frontend, to be run by itself or inside a process that has more.
 *
 * @example
 * const edge = createEdgeFrontend({ config, broker, store, cloud, logger, metrics, version });
 * await lifecycle.start(edge.parts);
 * console.log(edge.url);
 */
export function createEdgeFrontend(options: EdgeFrontendOptions): EdgeFrontend {
  const { broker, cloud, config, logger, store, clock = systemClock } = options;
  const { edge } = config;
  const frontendId = newProcessId('e');
  const edgeMetrics = createEdgeMetrics(options.metrics);
  const verifier = new BiscuitVerifier({ clock, logger });
  const keys = new KeyFollower({
    cloud,
    verifier,
    file: keyFile(join(config.dataDir, 'edge-keys.json'), logger),
    clock,
    logger,
  });
  const core = buildCore(options, { clock, frontendId, edgeMetrics });
  const { ages, deps, directory, watch, wheel } = core;
  const { journal, signals, waiting, admission } = deps;
  const registration = new ClusterRegistration({
    cloud,
    flavours: edge.flavours,
    clock,
    logger,
    report: () => buildClusterReport(edge, edge.publicUrl === '' ? server.url : edge.publicUrl, watch),
  });
  let isVerifierReady = false;
  let warmUp: Promise<void> | undefined;
  const readiness = buildReadiness({
    ...{ broker, keys, registration, watch },
    isVerifierReady: () => isVerifierReady,
    checkStore: () => store.check(),
  });
  const app = buildHttpApp({
    title: 'Gantry edge frontend',
    version: options.version,
    routes: buildRoutes(deps),
    authenticators: {
      verifyToken: (token) => verifier.verifyCached(token) ?? keys.verify(token),
      isRuntimeCredential: runtimeCredentialCheck(options.runtimeCredential),
    },
    readiness,
    logger,
    metrics: options.metrics,
  });
  const server = createHttpServer(
    { name: 'edge-frontend', host: edge.host, port: edge.port, portSetting: 'GANTRY_EDGE_PORT' },
    app,
  );
  observeEdge(options.metrics, {
    ...{ flavours: edge.flavours, watch, directory, ages, waiting, signals, journal, admission },
    brokerIsConnected: () => broker.status === 'connected',
  });
  const parts: readonly Part[] = [
    // First, so that its threads end whatever fails to start after it.
    {
      name: 'verifier',
      start: () => {
        // Its threads start while the rest does; a failure is met where it is waited for.
        warmUp = verifier.ready();
        warmUp.catch(() => undefined);
      },
      stop: () => verifier.close(),
    },
    { name: 'deadlines', stop: () => wheel.clear() },
    keys,
    {
      name: 'broker topology',
      start: async () => {
        await checkBroker(broker, {
          topologies: topologiesOf(config),
          timeoutMs: brokerStartTimeoutMs,
          logger,
        });
      },
    },
    ...buildBackgroundParts(options, core, { clock, frontendId, edgeMetrics }),
    watch,
    journal,
    {
      name: 'verifier warm-up',
      start: async () => {
        await warmUp;
        isVerifierReady = true;
      },
    },
    server,
    registration,
    {
      name: 'admission',
      stop: () => {
        admission.close();
        signals.close();
      },
    },
  ];
  return {
    parts,
    readiness,
    get url() {
      return server.url;
    },
    payloads: { fetch: (sha256) => fetchPayload(store, sha256) },
  };
}

/** The feature list; the most called first. */
const buildRoutes = (deps: EdgeDeps): readonly Route[] => [
  executeRoute(deps),
  ...executionRoutes(deps),
  flavoursRoute(deps),
  deviceMetricsRoute(deps),
  scaleRoute(deps.scaling),
  payloadRoute(deps),
];

/** Compares hashes, so that neither content nor length of the credential shows in the time it takes. */
function runtimeCredentialCheck(expected: string | undefined): (credential: string) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expectedDigest = expected === undefined || expected === '' ? undefined : digest(expected);
  return (credential) => expectedDigest !== undefined && timingSafeEqual(digest(credential), expectedDigest);
}

async function fetchPayload({ payloads }: EdgeStore, sha256: string): Promise<Buffer> {
  const bytes = await payloads.get(sha256);
  if (bytes === undefined) throw new AppError('payload-not-found', `There is no payload ${sha256}`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
