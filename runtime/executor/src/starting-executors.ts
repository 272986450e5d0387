import type { Logger } from '@gantry/kernel';
import type { RuntimeOptions } from './runtime-options.js';
import { type Executors, type Isolations, startExecutors } from './start-executors.js';

/** Where executors report what happens to them. */
interface ExecutorReports {
  readonly logger: Logger;
  /** A process ended that was not meant to. */
  readonly onLost: () => void;
}

/**
 * Executors on their way. They start while the rest of a runtime's program is loaded and its broker is connected, so
 * what they report waits until somebody listens.
 */
export interface StartingExecutors {
  /** Resolves once their processes were spawned, or could not be: from now on they need nothing of this process. */
  readonly spawned: Promise<void>;
  /** Rejects as {@link startExecutors} does; nothing is left then. */
  readonly executors: Promise<Executors>;
  listen(reports: ExecutorReports): void;
}

/** More than a start has to say: a spare that fails says so once a try. */
const maxWaiting = 100;

/** Starts executors. What they report is kept from now on, a hundred reports at most, until there is a listener. */
export function beginExecutors(options: RuntimeOptions, isolations?: Isolations): StartingExecutors {
  let listener: ExecutorReports | undefined;
  const waiting: ((reports: ExecutorReports) => void)[] = [];
  const report = (tell: (reports: ExecutorReports) => void): void => {
    if (listener !== undefined) tell(listener);
    else if (waiting.length < maxWaiting) waiting.push(tell);
  };
  const log =
    (level: keyof Logger): Logger[typeof level] =>
    (message, fields) =>
      report(({ logger }) => logger[level](message, fields));
  const logger: Logger = { error: log('error'), warn: log('warn'), info: log('info'), debug: log('debug') };
  const onLost = () => report((reports) => reports.onLost());
  let onSpawned: () => void = () => undefined;
  const spawned = new Promise<void>((resolve) => {
    onSpawned = resolve;
  });
  const executors = startExecutors(options, { logger, onLost, isolations, onSpawned });
  executors.catch(onSpawned); // Whoever needs them awaits them.
  return {
    spawned,
    executors,
    listen: (reports) => {
      listener = reports;
      for (const tell of waiting.splice(0)) tell(reports);
    },
  };
}
