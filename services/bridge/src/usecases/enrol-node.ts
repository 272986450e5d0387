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
  if (owner !== principal.user && !isAdministrator(principal))
    throw new AppError('forbidden', 'Only administrators may name another owner');
  const token = newSecret();
  const expiresAtMs = clock.now() + settings.enrolmentMinutes * 60_000;
  const known = await nodes.find(name);
  if (known === undefined) {
    if (!isAdministrator(principal) && (await nodes.countOwnedBy(owner)) >= settings.maxNodesPerUser)
      throw new AppError('quota-exceeded', `An account may have ${settings.maxNodesPerUser} nodes`);
    const tokenSha256 = hashOfToken(token);
    const createdAtMs = clock.now();
    const node = { name, owner, labels, tokenSha256, tokenExpiresAtMs: expiresAtMs, createdAtMs };
    if (!(await nodes.create(node))) throw taken(name);
  } else {
    if (!mayManage(principal, known) || !replace) throw taken(name);
    await nodes.renewEnrolment(name, hashOfToken(token), expiresAtMs);
  }
  audit.record({ action: 'node.enrol', outcome: 'done', user: principal.user, node: name });
  return { name, enrolment_token: token, expires_at: new Date(expiresAtMs).toISOString() };
}

const taken = (name: string) => new AppError('node-exists', `The name "${name}" is taken`);
