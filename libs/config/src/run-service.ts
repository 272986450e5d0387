import { Lifecycle, messageOf, type Part } from '@gantry/kernel';
import { ConfigError } from './load-config.js';

export interface RunningService {
  /** What runs, in the order to start. */
  readonly parts: readonly Part[];
  /** Called once all parts are up. */
  onStarted?(): void;
  onStopError?(part: string, error: unknown): void;
  /** Longest wait for one part to stop. */
  readonly stopTimeoutMs?: number;
}

/**
 * The life of a service process: compose, start, wait for SIGTERM or SIGINT, stop. A second signal ends it at once.
 * Exit codes: 0 stopped, 1 could not start, 2 bad configuration.
 */
export async function runService(compose: () => Promise<RunningService> | RunningService): Promise<void> {
  try {
    const service = await compose();
    const lifecycle = new Lifecycle({
      ...(service.onStopError === undefined ? {} : { onStopError: service.onStopError }),
      ...(service.stopTimeoutMs === undefined ? {} : { stopTimeoutMs: service.stopTimeoutMs }),
    });
    let isStopping = false;
    const stop = () => {
      if (isStopping) process.exit(1);
      isStopping = true;
      void lifecycle.stop().then(() => process.exit(0));
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    await lifecycle.start(service.parts);
    if (!isStopping) service.onStarted?.();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
}
