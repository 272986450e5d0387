import type { ReadinessCheck } from '@gantry/http';
import { messageOf, withDeadline } from '@gantry/kernel';
import type { Store } from '@gantry/store';
import type { KeyRing } from './usecases/key-ring.js';

/** A probe wants an answer, not the store's own patience. */
const storeTimeoutMs = 2000;

/** What has to hold before devices are sent here. */
export const buildReadiness = (
  store: Pick<Store, 'check'>,
  keyRing: KeyRing,
  isVerifierReady: () => boolean,
): readonly ReadinessCheck[] => [
  { name: 'store', check: () => checkStore(store) },
  { name: 'keys', check: () => (keyRing.keys.length > 0 ? undefined : 'the signing keys are not loaded') },
  { name: 'verifier', check: () => (isVerifierReady() ? undefined : 'the token verifier is still starting') },
];

async function checkStore(store: Pick<Store, 'check'>): Promise<string | undefined> {
  try {
    await withDeadline(store.check(), storeTimeoutMs, 'the check of the store');
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
