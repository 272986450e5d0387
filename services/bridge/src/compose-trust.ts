import type { Clock, Logger, Part } from '@gantry/kernel';
import { BiscuitVerifier } from '@gantry/tokens';
import type { CloudTrust, UserTrust } from './ports.js';
import { TrustFollower } from './usecases/follow-trust.js';

/** What says whether a user's token is good, and the parts of it that live here: none when somebody else's is used. */
export function composeTrust(
  cloud: CloudTrust | UserTrust,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): { readonly trust: UserTrust; readonly parts: readonly Part[] } {
  if ('verify' in cloud) return { trust: cloud, parts: [] };
  const verifier = new BiscuitVerifier({ clock, logger });
  const trust = new TrustFollower({ cloud, verifier, clock, logger });
  const warm: Part = {
    name: 'verifier of users',
    start: () => verifier.ready(),
    stop: () => verifier.close(),
  };
  return { trust, parts: [trust, warm] };
}
