import type { Clock, Logger } from '@gantry/kernel';
import type { CloudStore } from '@gantry/store';
import type { Metrics } from '@gantry/telemetry';
import type { FailureLimiter, PasswordHasher } from './ports.js';
import type { BoundedWork } from './usecases/bounded-work.js';
import type { KeyRing } from './usecases/key-ring.js';

/** What the routes hand to the use cases; each use case names the part that it needs. */
export interface CloudDeps extends CloudStore {
  readonly keyRing: KeyRing;
  readonly issue: KeyRing['issue'];
  /** Puts in force here what was just written about keys and revocations. */
  readonly refresh: () => Promise<void>;
  readonly hasher: PasswordHasher;
  readonly decoyHash: string;
  readonly hashing: BoundedWork;
  readonly failures: FailureLimiter;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly silenceMs: number;
  readonly tokenLifetimeMs: number;
  readonly defaultQuota: { readonly functions: number; readonly bytes: number };
  readonly signIns: ReturnType<Metrics['counter']>;
  readonly latencies: ReturnType<Metrics['histogram']>;
}
