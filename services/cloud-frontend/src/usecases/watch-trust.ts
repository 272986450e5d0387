import { type Clock, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { TokenLog } from '@gantry/store';
import type { KeyRing } from './key-ring.js';

export interface WatchTrustDeps {
  readonly keyRing: KeyRing;
  readonly tokens: Pick<TokenLog, 'purgeExpired'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs: number;
}

/** Expired tokens are few and small; they need not go at once. */
const purgeIntervalMs = 10 * 60_000;

/**
 * Loads the key ring and keeps it like the store: keys and revocations that another cloud frontend writes are in force
 * here within `intervalMs`. Forgets expired tokens now and then.
 */
export function watchTrust(deps: WatchTrustDeps): Part {
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let lastPurgeMs = Number.NEGATIVE_INFINITY;
  let isFailing = false;
  let isStopped = false;

  const look = async () => {
    try {
      await deps.keyRing.refresh();
      if (deps.clock.now() - lastPurgeMs >= purgeIntervalMs) {
        await deps.tokens.purgeExpired(deps.clock.now());
        lastPurgeMs = deps.clock.now();
      }
      isFailing = false;
    } catch (error) {
      // One line for a row of failures.
      if (!isFailing) deps.logger.warn('cannot read keys and revocations', { error: messageOf(error) });
      isFailing = true;
    }
    if (!isStopped) schedule();
  };
  const schedule = () => {
    timer = setTimeout(() => {
      looking = look();
    }, deps.intervalMs);
  };
  return {
    name: 'trust',
    start: async () => {
      await deps.keyRing.load();
      schedule();
    },
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await looking;
    },
  };
}
