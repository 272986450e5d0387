import { AppError } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';
import { nodeOrg } from './redeem-enrolment.js';

export interface ProvenNode {
  readonly name: string;
  readonly credentialId: string;
}

/**
 * Whose credential this is, when it is the one in force.
 * @throws {AppError} invalid-service-credential
 */
export async function checkCredential(
  { keys, nodes, nodeVerifier }: Pick<BridgeDeps, 'nodes' | 'nodeVerifier' | 'keys'>,
  credential: string,
): Promise<ProvenNode> {
  const refuse = (cause?: unknown) =>
    new AppError('invalid-service-credential', 'The credential of the node is not in force; enrol it again', {
      cause,
    });
  const { principal, revocationIds } = await nodeVerifier
    .verify(credential)
    .catch(async (cause: unknown) => {
      // Another bridge may have signed it a moment ago, with a key of its own making.
      if (!(await keys.findNew())) throw cause;
      return await nodeVerifier.verify(credential);
    })
    .catch((cause: unknown) => {
      throw refuse(cause);
    });
  // An attenuated credential has more than one; the first is the one that was issued.
  const [credentialId] = revocationIds;
  if (principal.org !== nodeOrg || credentialId === undefined) throw refuse();
  const record = await nodes.find(principal.user);
  if (record === undefined || record.isRevoked || record.credentialId !== credentialId) throw refuse();
  return { name: record.name, credentialId };
}
