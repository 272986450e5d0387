import { AmqpBroker } from '@gantry/broker';
import { ConfigError, isProduction, loadFlavours, loadServiceConfig, runService } from '@gantry/config';
// Not the whole package: a runtime has no use for express.
import { createMetricsServer } from '@gantry/http/metrics-server';
import { newProcessId } from '@gantry/kernel';
import { createLogger, createMetrics } from '@gantry/telemetry';
import { HttpPayloadSource } from './adapters/http/http-payload-source.js';
import { runtimeSchema, toRuntimeOptions } from './config.js';
import { logLimit } from './log-limit.js';
import { createRuntime } from './runtime.js';
import { createRuntimeMetrics } from './runtime-metrics.js';
import { defaultRuntimeOptions, type RuntimeOptions } from './runtime-options.js';
import { resolveIsolations } from './start-executors.js';
import { statusFile } from './status-file.js';

/** More than the largest function or parameters the edge takes. */
const maxPayloadBytes = 64 * 1024 * 1024;

/** A runtime as a process of its own: until it is told to stop. */
export const serveRuntime = (): Promise<void> =>
  runService(async () => {
    const { values: settings } = loadServiceConfig(runtimeSchema);
    const { broker: brokerSettings, edgeUrls, credential, metrics: metricsAddress } = settings;
    if (!brokerSettings.url.startsWith('amqp')) {
      throw new ConfigError(['broker.url: a runtime of its own process needs amqp://… or amqps://…']);
    }
    if (credential === '') throw new ConfigError(['credential: set GANTRY_RUNTIME_CREDENTIAL_FILE']);
    const logger = createLogger({ service: 'runtime', ...settings.log });
    const metrics = createMetrics();
    const runtimeId = newProcessId('r');
    const options: RuntimeOptions = {
      ...defaultRuntimeOptions,
      ...toRuntimeOptions(settings),
      flavours: settings.flavours,
      definitions: loadFlavours(settings),
      isProduction: isProduction(),
      runtimeId,
      topology: { replicated: brokerSettings.isCluster },
    };
    // The levels are tried out while the broker answers.
    const [isolations, broker] = await Promise.all([
      resolveIsolations(options),
      AmqpBroker.connect({
        url: brokerSettings.url,
        caFile: brokerSettings.caFile === '' ? undefined : brokerSettings.caFile,
        connectionName: `gantry runtime ${runtimeId}`,
        logger,
      }),
    ]);
    const payloads = new HttpPayloadSource({
      edgeUrls,
      credential: () => credential,
      maxBytes: maxPayloadBytes,
    });
    const runtime = createRuntime(
      { broker, payloads, logger, metrics: createRuntimeMetrics(metrics), isolations },
      options,
    );
    return {
      parts: [
        { name: 'broker', stop: () => broker.close() },
        createMetricsServer(metricsAddress, [metrics]),
        ...(settings.logFileBytes === 0 ? [] : [logLimit(settings.logFileBytes)]),
        ...(settings.statusFile === '' ? [] : [statusFile(settings.statusFile, runtime)]),
        runtime,
      ],
      stopTimeoutMs: (settings.runtime.drainSeconds + 5) * 1000,
      onStopError: (part, error) => logger.error('a part did not stop', { op: 'runtime.stop', part, error }),
    };
  });
