import type { NodeCredential } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';
import { hashOfToken } from './enrol-node.js';

export type RedeemDeps = Pick<
  BridgeDeps,
  'nodes' | 'registry' | 'issuer' | 'keys' | 'audit' | 'clock' | 'settings'
>;

const dayMs = 86_400_000;
/** What stands in the credential beside the name, so that it can be told from a user's token by everyone. */
export const nodeOrg = 'gantry.node';

/**
 * Exchanges an enrolment token for the credential of the node. An earlier credential stops working, and who is
 * connected with it is disconnected.
 * @throws {AppError} invalid-service-credential when the token is not this node's, was used, or has expired
 */
export async function redeemEnrolment(
  deps: RedeemDeps,
  name: string,
  enrolmentToken: string,
  address: string,
): Promise<NodeCredential> {
  const { audit, clock, issuer, keys, nodes, registry, settings } = deps;
  const nowMs = clock.now();
  const issued = await issuer.issue(
    { user: name, org: nodeOrg, role: 'user' },
    { nowMs, lifetimeMs: settings.credentialDays * dayMs },
  );
  const request = {
    name,
    tokenSha256: hashOfToken(enrolmentToken),
    credentialId: issued.revocationId,
    nowMs,
  };
  const isTaken = await registry.evict(name, 'the node was enrolled anew', () => nodes.redeem(request));
  audit.record({
    action: 'node.redeem',
    outcome: isTaken ? 'done' : 'refused',
    user: `node:${name}`,
    node: name,
    address,
  });
  if (!isTaken)
    throw new AppError(
      'invalid-service-credential',
      `The enrolment token is not one of "${name}", was used, or has expired; ask for another`,
    );
  return {
    name,
    credential: issued.token,
    expires_at: new Date(issued.expiresAtMs).toISOString(),
    bridge_keys: keys.keys.map(({ id, publicKey }) => ({ id, public_key: publicKey })),
  };
}
