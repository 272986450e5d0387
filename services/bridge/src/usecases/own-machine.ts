/**
 * The node that runs as the same user as this bridge. Whoever may run programs there can read what that user can: the
 * keys and the administrator's password of the platform.
 */
import type { NodeGrant } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';

const runsPrograms: ReadonlySet<string> = new Set(['*', 'jobs:*', 'jobs:submit', 'psij:*', 'psij:submit']);

/** @throws {AppError} invalid-request when a grant would make its user an administrator in all but name */
export function demandNoPrograms(node: string, grants: readonly NodeGrant[]): void {
  const errors = grants.flatMap(({ rights, user }, at) =>
    rights.flatMap((right, index) =>
      runsPrograms.has(right)
        ? [
            {
              pointer: `/grants/${at}/rights/${index}`,
              detail: `"${right}" lets ${user === '*' ? 'everyone' : user} run programs as the user of the platform, who can read its keys. Grant less, or run an agent on ${node} as another user and share that node.`,
            },
          ]
        : [],
    ),
  );
  if (errors.length > 0) throw new AppError('invalid-request', errors[0]?.detail, { errors });
}
