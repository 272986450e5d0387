import { describe, expect, it } from '@jest/globals';
import { resolveIsolation } from './isolation.js';

const plan = { file: '/usr/bin/node', args: ['x.js'], readableFolder: '/tmp/x' };

describe('resolveIsolation', () => {
  it.each(['sandbox', 'container'] as const)(
    'refuses "%s" with the reason, never silently weaker',
    (level) => {
      expect(() => resolveIsolation(level)).toThrow(
        `isolation level "${level}" cannot be had: this release has no such level`,
      );
    },
  );

  it('drops the user at level process when root, and only then', () => {
    expect(resolveIsolation('process', 0).wrap(plan).options).toMatchObject({ uid: 65534, gid: 65534 });
    expect(resolveIsolation('process', 1000).wrap(plan).options).not.toHaveProperty('uid');
    expect(resolveIsolation('thread', 0)).toMatchObject({ isRestricted: false, isOtherUser: false });
  });

  it('passes nothing of the platform’s environment', () => {
    expect(resolveIsolation('process').wrap(plan).options.env).toEqual({
      LANG: 'C.UTF-8',
      PATH: '/usr/bin:/bin',
      TZ: 'UTC',
    });
  });
});
