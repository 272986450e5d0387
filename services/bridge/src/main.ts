import { loadServiceConfig, runService, storeUrlOf } from '@gantry/config';
import { createMetricsServer, readVersion } from '@gantry/http';
import { openStore } from '@gantry/store';
import { createLogger, createMetrics } from '@gantry/telemetry';
import { trustOverHttp } from './adapters/cloud-http/cloud-trust.js';
import { createBridge } from './app.js';
import { bridgeSchema, checkAccess } from './config.js';

await runService(async () => {
  const { values: config } = loadServiceConfig(bridgeSchema);
  checkAccess(config.bridge);
  const logger = createLogger({ service: 'bridge', ...config.log });
  const metrics = createMetrics();
  const version = readVersion('bridge', new URL('../package.json', import.meta.url));
  const store = await openStore({ url: storeUrlOf(config), logger });
  const cloud = trustOverHttp(config.trust.cloudUrl);
  const bridge = createBridge({ config, store, cloud, logger, metrics, version });
  const metricsServer = createMetricsServer(config.metrics, [metrics]);
  return {
    parts: [{ name: 'store', stop: () => store.close() }, metricsServer, ...bridge.parts],
    onStarted: () =>
      logger.info('started', { op: 'service.start', url: bridge.url, metricsUrl: metricsServer.url }),
    onStopError: (part, error) => logger.error('a part did not stop', { part, error }),
  };
});
