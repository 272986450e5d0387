import { createHash } from 'node:crypto';
import type { NodeCredential } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';
import { hashOfToken } from './enrol-node.js';

export type RedeemDeps = Pick<
  BridgeDeps,
  | 'nodes'
  | 'records'
  | 'registry'
  | 'issuer'
  | 'keys'
  | 'audit'
  | 'clock'
  | 'settings'
  | 'redeemLimits'
  | 'redeemed'
>;

export interface EnrolmentProof {
  readonly name: string;
  readonly enrolmentToken: string;
  /** Of the agent that asks, which may have to ask again. */
  readonly nonce: string | undefined;
  readonly address: string;
}

const dayMs = 86_400_000;
/** What stands in the credential beside the name, so that it can be told from a user's token by everyone. */
export const nodeOrg = 'gantry.node';

/**
 * Exchanges an enrolment token for the credential of the node. An earlier credential stops working, and who is
 * connected with it is disconnected. The agent whose answer was lost asks again with the nonce of its first question
 * and gets the same credential, for as long as that is remembered and in force.
 * @throws {AppError} invalid-service-credential when the token is not this node's, was used, or has expired ·
 * too-many-requests after many such
 */
export async function redeemEnrolment(deps: RedeemDeps, proof: EnrolmentProof): Promise<NodeCredential> {
  const { clock, issuer, keys, nodes, redeemed, redeemLimits, registry, settings } = deps;
  const { address, enrolmentToken, name, nonce } = proof;
  redeemLimits.admit(address, name);
  const nowMs = clock.now();
  const tokenSha256 = hashOfToken(enrolmentToken);
  const again = nonce === undefined ? undefined : hashOfNonce(proof, nonce);
  // Signing costs more than looking: nobody without a token makes the bridge sign.
  if (!(await nodes.hasEnrolment(name, tokenSha256, nowMs)))
    return (await answerAgain(deps, name, again)) ?? refuse(deps, proof);
  const issued = await issuer.issue(
    { user: name, org: nodeOrg, role: 'user' },
    { nowMs, lifetimeMs: settings.credentialDays * dayMs },
  );
  const credentialId = issued.revocationId;
  const isTaken = await registry.evict(name, 'the node was enrolled anew', () =>
    nodes.redeem({ name, tokenSha256, credentialId, nowMs }),
  );
  if (!isTaken) return (await answerAgain(deps, name, again)) ?? refuse(deps, proof);
  // The lines of a node are its owner's.
  const { owner } = await deps.records.find(name);
  deps.audit.record({ ...lineOf(proof), outcome: 'done', owner });
  const credential: NodeCredential = {
    name,
    credential: issued.token,
    expires_at: new Date(issued.expiresAtMs).toISOString(),
    bridge_keys: [{ id: keys.current.id, public_key: keys.current.publicKey }],
  };
  if (again !== undefined) redeemed.keep(again, { credential, credentialId });
  return credential;
}

async function answerAgain(
  { nodes, redeemed }: RedeemDeps,
  name: string,
  again: string | undefined,
): Promise<NodeCredential | undefined> {
  const kept = again === undefined ? undefined : redeemed.find(again);
  if (kept === undefined) return undefined;
  const record = await nodes.find(name);
  const isInForce = record?.isRevoked === false && record.credentialId === kept.credentialId;
  return isInForce ? kept.credential : undefined;
}

function refuse(deps: RedeemDeps, proof: EnrolmentProof): never {
  deps.redeemLimits.failed(proof.address, proof.name);
  deps.audit.recordProbe({ ...lineOf(proof), outcome: 'refused', code: 'invalid-service-credential' });
  throw new AppError(
    'invalid-service-credential',
    `The enrolment token is not one of "${proof.name}", was used, or has expired; ask for another`,
  );
}

const lineOf = ({ address, name }: EnrolmentProof) =>
  ({ action: 'node.redeem', user: `node:${name}`, node: name, address }) as const;

const hashOfNonce = ({ enrolmentToken, name }: EnrolmentProof, nonce: string): string =>
  createHash('sha256')
    .update(JSON.stringify([name, enrolmentToken, nonce]))
    .digest('hex');
