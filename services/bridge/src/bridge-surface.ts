import type { BridgeDeps } from './deps.js';
import { checkCredential } from './usecases/check-credential.js';
import { enrolNode } from './usecases/enrol-node.js';

/** What a composition of several services in one process needs of the bridge; over HTTP these are routes. */
export interface BridgeSurface {
  /** A one-time token for a node of this name; an earlier credential works until it is used. */
  enrol(name: string, owner: string): Promise<string>;
  /** Whether this is the credential in force of the node. */
  isCredentialOf(name: string, credential: string): Promise<boolean>;
  isConnected(name: string): boolean;
}

export const buildSurface = (deps: BridgeDeps): BridgeSurface => ({
  enrol: async (name, owner) => {
    const principal = { user: owner, org: undefined, role: 'administrator' } as const;
    return (await enrolNode(deps, principal, { name, owner, labels: {}, replace: true })).enrolment_token;
  },
  isCredentialOf: async (name, credential) => {
    const proven = await checkCredential(deps, credential).catch(() => undefined);
    return proven?.name === name;
  },
  isConnected: (name) => deps.registry.holderOf(name)?.link.isOpen === true,
});
