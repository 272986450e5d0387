import { AmqpBroker } from '@gantry/broker';
import type { RunningService } from '@gantry/config';
// Not the whole package: a runtime has no use for express.
import { createMetricsServer } from '@gantry/http/metrics-server';
import { createLogger, createMetrics } from '@gantry/telemetry';
import { HttpPayloadSource } from './adapters/http/http-payload-source.js';
import type { RuntimeProcessSettings } from './config.js';
import { logLimit } from './log-limit.js';
import { createRuntime } from './runtime.js';
import { createRuntimeMetrics } from './runtime-metrics.js';
import type { RuntimeOptions } from './runtime-options.js';
import type { StartingExecutors } from './starting-executors.js';
import { statusFile } from './status-file.js';

/** More than the largest function or parameters the edge takes. */
const maxPayloadBytes = 64 * 1024 * 1024;

/** The parts of a runtime process, around executors that are starting already. @throws {AppError} of the broker */
export async function composeRuntime(
  settings: RuntimeProcessSettings,
  options: RuntimeOptions,
  starting: StartingExecutors,
): Promise<RunningService> {
  const { broker: brokerSettings, edgeUrls, credential } = settings;
  const logger = createLogger({ service: 'runtime', ...settings.log });
  const metrics = createMetrics();
  const broker = await AmqpBroker.connect({
    url: brokerSettings.url,
    caFile: brokerSettings.caFile === '' ? undefined : brokerSettings.caFile,
    connectionName: `gantry runtime ${options.runtimeId}`,
    logger,
  });
  const payloads = new HttpPayloadSource({
    edgeUrls,
    credential: () => credential,
    maxBytes: maxPayloadBytes,
  });
  const runtime = createRuntime(
    { broker, payloads, logger, metrics: createRuntimeMetrics(metrics), starting },
    options,
  );
  return {
    parts: [
      { name: 'broker', stop: () => broker.close() },
      createMetricsServer(settings.metrics, [metrics]),
      ...(settings.logFileBytes === 0 ? [] : [logLimit(settings.logFileBytes)]),
      ...(settings.statusFile === '' ? [] : [statusFile(settings.statusFile, runtime)]),
      runtime,
    ],
    stopTimeoutMs: (settings.runtime.drainSeconds + 5) * 1000,
    onStopError: (part, error) => logger.error('a part did not stop', { op: 'runtime.stop', part, error }),
  };
}
