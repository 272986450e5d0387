import type { Broker } from '@gantry/broker';
import type { ReadinessCheck } from '@gantry/http';
import { messageOf, withDeadline } from '@gantry/kernel';
import type { FlavourWatch } from './usecases/flavour-watch.js';
import type { KeyFollower } from './usecases/follow-keys.js';
import type { ClusterRegistration } from './usecases/register-cluster.js';

export interface ReadinessDeps {
  readonly keys: KeyFollower;
  readonly isVerifierReady: () => boolean;
  readonly registration: ClusterRegistration;
  readonly broker: Broker;
  readonly watch: FlavourWatch;
  readonly checkStore: () => Promise<void>;
}

const storeTimeoutMs = 2000;
/** Probes come often, and the check writes. */
const storeAnswerMs = 1000;

/** Everything that has to hold before callers are sent here. */
export function buildReadiness(deps: ReadinessDeps): readonly ReadinessCheck[] {
  const { broker, keys, registration, watch } = deps;
  return [
    { name: 'keys', check: () => (keys.hasKeys ? undefined : 'no key of the cloud frontend is known yet') },
    {
      name: 'verifier',
      check: () => (deps.isVerifierReady() ? undefined : 'the token verifier is starting'),
    },
    { name: 'cluster', check: () => registration.problem },
    {
      name: 'broker',
      check: () =>
        broker.status === 'connected' ? undefined : `the connection to the broker is ${broker.status}`,
    },
    {
      name: 'flavours',
      check: () => {
        const missing = watch.missingFlavours();
        return missing.length === 0 ? undefined : `no runtime serves ${missing.join(', ')}`;
      },
    },
    { name: 'store', check: onceASecond(() => askStore(deps.checkStore)) },
  ];
}

async function askStore(check: () => Promise<void>): Promise<string | undefined> {
  try {
    await withDeadline(check(), storeTimeoutMs, 'checking the store');
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function onceASecond<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  let askedMs = -Infinity;
  return () => {
    if (answer === undefined || performance.now() - askedMs > storeAnswerMs) {
      askedMs = performance.now();
      answer = ask();
    }
    return answer;
  };
}
