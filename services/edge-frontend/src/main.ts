import { readFileSync } from 'node:fs';
import { openBroker } from '@gantry/broker';
import { ConfigError, loadFlavours, loadServiceConfig, runService, storeUrlOf } from '@gantry/config';
import { createMetricsServer, readVersion } from '@gantry/http';
import { openStore } from '@gantry/store';
import { createLogger, createMetrics } from '@gantry/telemetry';
import { linkOverHttp } from './adapters/cloud-http/cloud-http.js';
import { createEdgeFrontend, type EdgeFrontend } from './app.js';
import { buildLocalScaler } from './compose-scaler.js';
import { edgeFrontendSchema } from './config.js';
import { readRuntimeCredential } from './runtime-credential.js';

await runService(async () => {
  const { values: config } = loadServiceConfig(edgeFrontendSchema);
  const { edge } = config;
  if (config.broker.url === 'in-process:')
    throw new ConfigError([
      'GANTRY_BROKER_URL: an edge frontend of its own process needs amqp:// or amqps://',
    ]);
  if (edge.maxScaledRuntimes > 0 && edge.runtimeCredentialFile === '')
    throw new ConfigError([
      'GANTRY_RUNTIME_CREDENTIAL_FILE: runtimes that POST /v1/scale starts need it to fetch code',
    ]);
  const logger = createLogger({ service: 'edge-frontend', ...config.log });
  const metrics = createMetrics();
  const version = readVersion('edge-frontend', new URL('../package.json', import.meta.url));
  const enrolmentToken = readSecret('GANTRY_ENROLMENT_TOKEN_FILE', edge.enrolmentTokenFile);
  const runtimeCredential =
    edge.runtimeCredentialFile === '' ? undefined : readRuntimeCredential(edge.runtimeCredentialFile);
  const store = await openStore({ url: storeUrlOf(config), logger });
  const broker = await openBroker({
    url: config.broker.url,
    caFile: config.broker.caFile === '' ? undefined : config.broker.caFile,
    connectionName: `edge-frontend ${edge.name}`,
    logger,
  });
  const cloud = linkOverHttp({ cloudUrl: edge.cloudUrl, name: edge.name, enrolmentToken });
  const frontend: EdgeFrontend = createEdgeFrontend({
    config,
    definitions: loadFlavours(config),
    broker,
    store,
    cloud,
    logger,
    metrics,
    version,
    runtimeCredential,
    scaler: buildLocalScaler(config, () => frontend.url),
  });
  const metricsServer = createMetricsServer(config.metrics, [metrics]);
  return {
    parts: [
      { name: 'store', stop: () => store.close() },
      { name: 'broker', stop: () => broker.close() },
      metricsServer,
      ...frontend.parts,
    ],
    onStarted: () =>
      logger.info('started', { op: 'service.start', url: frontend.url, metricsUrl: metricsServer.url }),
    onStopError: (part, error) => logger.error('a part did not stop', { part, error }),
  };
});

function readSecret(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new ConfigError([`${setting}: cannot read the file "${path}"`]);
  }
}
