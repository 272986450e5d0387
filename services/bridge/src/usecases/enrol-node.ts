import { createHash } from 'node:crypto';
import { isAdministrator, type NodeEnrolment, type Principal } from '@gantry/contracts';
import { AppError, newSecret } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';
import { mayManage } from './resolve-rights.js';

export type EnrolDeps = Pick<BridgeDeps, 'nodes' | 'audit' | 'clock' | 'settings'>;

export interface Enrolment {
  readonly name: string;
  readonly owner?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly replace: boolean;
}

/** Only this is kept of an enrolment token. */
export const hashOfToken = (token: string): string => createHash('sha256').update(token).digest('hex');

/**
 * Makes a one-time token with which an agent joins under a name.
 * @throws {AppError} node-exists, forbidden (another owner, another's node), quota-exceeded
 */
export async function enrolNode(
  deps: EnrolDeps,
  principal: Principal,
  { name, labels, owner = principal.user, replace }: Enrolment,
): Promise<NodeEnrolment> {
  const { audit, clock, nodes, settings } = deps;
  const line = { action: 'node.enrol', user: principal.user, node: name } as const;
  const refusedWith = (error: AppError): AppError => {
    audit.record({ ...line, outcome: 'refused', code: error.code });
    return error;
  };
  if (owner !== principal.user && !isAdministrator(principal))
    throw refusedWith(new AppError('forbidden', 'Only administrators may name another owner'));
  const token = newSecret();
  const expiresAtMs = clock.now() + settings.enrolmentMinutes * 60_000;
  const known = await nodes.find(name);
  if (known === undefined) {
    if (!isAdministrator(principal) && (await nodes.countOwnedBy(owner)) >= settings.maxNodesPerUser)
      throw refusedWith(
        new AppError('quota-exceeded', `An account may have ${settings.maxNodesPerUser} nodes`),
      );
    const tokenSha256 = hashOfToken(token);
    const createdAtMs = clock.now();
    const node = { name, owner, labels, tokenSha256, tokenExpiresAtMs: expiresAtMs, createdAtMs };
    if (!(await nodes.create(node))) throw refusedWith(taken(name));
  } else {
    if (!mayManage(principal, known) || !replace) throw refusedWith(taken(name));
    await nodes.renewEnrolment(name, hashOfToken(token), expiresAtMs);
  }
  const detail = owner === principal.user ? {} : { detail: `owner=${owner}` };
  audit.record({ ...line, outcome: 'done', ...detail });
  return {
    name,
    enrolment_token: token,
    expires_at: new Date(expiresAtMs).toISOString(),
    bridge_url: settings.publicUrl === '' ? null : settings.publicUrl,
  };
}

const taken = (name: string) => new AppError('node-exists', `The name "${name}" is taken`);
