import type { LeaseRequester } from '@gantry/broker';
import type { Clock, DeadlineWheel, Logger } from '@gantry/kernel';
import type { CodeCache } from './code-cache.js';
import type { PayloadSource, RuntimeMetrics } from './ports.js';
import type { ResultPublisher } from './result-publisher.js';
import type { Executors } from './start-executors.js';

/** What executions need of their runtime. */
export interface ExecuteDeps {
  readonly runtimeId: string;
  readonly executors: Pick<Executors, 'flavours' | 'stateOf'>;
  readonly codes: CodeCache;
  readonly payloads: PayloadSource;
  readonly leases: LeaseRequester;
  readonly results: ResultPublisher;
  readonly wheel: DeadlineWheel;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: RuntimeMetrics;
  readonly clockToleranceMs: number;
  /** Aborts when the runtime stops. */
  readonly stopped: AbortSignal;
}
