import { AmqpBroker } from '@gantry/broker';
import { ConfigError, loadServiceConfig, runService } from '@gantry/config';
import { createMetricsServer } from '@gantry/http';
import { newProcessId } from '@gantry/kernel';
import { createLogger, createMetrics } from '@gantry/telemetry';
import { HttpPayloadSource } from './adapters/http/http-payload-source.js';
import { runtimeSchema, toRuntimeOptions } from './config.js';
import { createRuntime } from './runtime.js';
import { createRuntimeMetrics } from './runtime-metrics.js';

/** More than the largest function or parameters the edge takes. */
const maxPayloadBytes = 64 * 1024 * 1024;

/** A runtime as a process of its own. */
await runService(async () => {
  const { values: settings } = loadServiceConfig(runtimeSchema);
  const { broker: brokerSettings, edgeUrls, credential, metrics: metricsAddress } = settings;
  if (!brokerSettings.url.startsWith('amqp')) {
    throw new ConfigError(['broker.url: a runtime of its own process needs amqp://… or amqps://…']);
  }
  if (credential === '') throw new ConfigError(['credential: set GANTRY_RUNTIME_CREDENTIAL_FILE']);
  const logger = createLogger({ service: 'runtime', ...settings.log });
  const metrics = createMetrics();
  const runtimeId = newProcessId('r');
  const broker = await AmqpBroker.connect({
    url: brokerSettings.url,
    caFile: brokerSettings.caFile === '' ? undefined : brokerSettings.caFile,
    connectionName: `gantry runtime ${runtimeId}`,
    logger,
  });
  const payloads = new HttpPayloadSource({
    edgeUrls,
    credential: () => credential,
    maxBytes: maxPayloadBytes,
  });
  const runtime = createRuntime(
    { broker, payloads, logger, metrics: createRuntimeMetrics(metrics) },
    {
      ...toRuntimeOptions(settings),
      flavours: settings.flavours,
      runtimeId,
      topology: { replicated: brokerSettings.isCluster },
    },
  );
  return {
    parts: [
      { name: 'broker', stop: () => broker.close() },
      createMetricsServer(metricsAddress, [metrics]),
      runtime,
    ],
    stopTimeoutMs: (settings.runtime.drainSeconds + 5) * 1000,
    onStopError: (part, error) => logger.error('a part did not stop', { op: 'runtime.stop', part, error }),
  };
});
