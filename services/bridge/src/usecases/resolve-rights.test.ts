import type { Principal } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import { coversPlugin, mayManage, resolveRights } from './resolve-rights.js';

const as = (user: string, role: Principal['role'] = 'user'): Principal => ({ user, org: undefined, role });
const node = {
  owner: 'olga',
  grants: [
    { user: 'bob', rights: ['jobs:submit', 'jobs:read'] },
    { user: 'bob', rights: ['jobs:read', 'files:*'] },
    { user: '*', rights: ['sysinfo:read'] },
  ],
};

describe('rights on a node', () => {
  it.each([
    ['its owner', as('olga'), ['*', 'agent:read']],
    ['an administrator', as('root', 'administrator'), ['*', 'agent:read']],
    ['whom it is shared with', as('bob'), ['jobs:submit', 'jobs:read', 'files:*', 'sysinfo:read']],
    ['everyone else', as('eve'), ['sysinfo:read']],
  ])('of %s', (_who, principal, rights) => {
    expect(resolveRights(principal, node)).toEqual(rights);
  });

  it('are none where nothing is shared with everyone', () => {
    expect(resolveRights(as('eve'), { ...node, grants: [] })).toEqual([]);
  });

  it('to change the node are those of its owner and of administrators only', () => {
    expect([as('olga'), as('root', 'administrator'), as('bob')].map((one) => mayManage(one, node))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('cover a plugin as a whole with a star only', () => {
    expect(coversPlugin(['*'], ['psij'])).toBe(true);
    expect(coversPlugin(['jobs:*'], ['psij', 'jobs'])).toBe(true);
    expect(coversPlugin(['jobs:submit', 'jobs:read'], ['psij', 'jobs'])).toBe(false);
  });
});
