import type { ReadinessCheck } from '@gantry/http';
import { messageOf, withDeadline } from '@gantry/kernel';
import type { Store } from '@gantry/store';
import type { BridgeDeps } from './deps.js';

/** A probe wants an answer, not the store's own patience. */
const storeTimeoutMs = 2000;

/** What has to hold before nodes and people are sent here. */
export const buildReadiness = (
  store: Pick<Store, 'check'>,
  { keys, trust }: Pick<BridgeDeps, 'keys' | 'trust'>,
  areVerifiersReady: () => boolean,
): readonly ReadinessCheck[] => [
  {
    name: 'store',
    check: async () => {
      try {
        await withDeadline(store.check(), storeTimeoutMs, 'the check of the store');
        return undefined;
      } catch (error) {
        return messageOf(error);
      }
    },
  },
  {
    name: 'keys',
    check: () => {
      if (keys.keys.length === 0) return 'the keys of the bridge are not loaded';
      return trust.hasKeys ? undefined : 'no keys have come from the cloud frontend yet';
    },
  },
  {
    name: 'verifier',
    check: () => (areVerifiersReady() ? undefined : 'the token verifiers are still starting'),
  },
];
