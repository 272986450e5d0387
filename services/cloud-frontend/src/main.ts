import { loadServiceConfig, runService, storeUrlOf } from '@gantry/config';
import { createMetricsServer, readVersion } from '@gantry/http';
import { openStore } from '@gantry/store';
import { createLogger, createMetrics } from '@gantry/telemetry';
import { createCloudFrontend } from './app.js';
import { cloudFrontendSchema } from './config.js';

await runService(async () => {
  const { values: config } = loadServiceConfig(cloudFrontendSchema);
  const logger = createLogger({ service: 'cloud-frontend', ...config.log });
  const metrics = createMetrics();
  const version = readVersion('cloud-frontend', new URL('../package.json', import.meta.url));
  const store = await openStore({ url: storeUrlOf(config), logger });
  const cloud = createCloudFrontend({ config, store, logger, metrics, version });
  const metricsServer = createMetricsServer(config.metrics, [metrics]);
  return {
    parts: [{ name: 'store', stop: () => store.close() }, metricsServer, ...cloud.parts],
    onStarted: () => {
      const first = cloud.firstAccount;
      // The password itself is for people, not for logs.
      if (first !== undefined)
        logger.info('sign in with the first account', {
          account: first.name,
          passwordFile: first.passwordFile,
        });
      logger.info('started', { op: 'service.start', url: cloud.url, metricsUrl: metricsServer.url });
    },
    onStopError: (part, error) => logger.error('a part did not stop', { part, error }),
  };
});
