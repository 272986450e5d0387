import type { Isolation } from './isolation.js';

/** The unprivileged user and group of every Debian and most other systems. */
export const nobody = { uid: 65534, gid: 65534 } as const;

/** What a program may see of an environment: enough to run, nothing of the platform. */
export const scrubbedEnvironment = { LANG: 'C.UTF-8', TZ: 'UTC', PATH: '/usr/bin:/bin' } as const;

/**
 * The levels without a wall around the process. `process`: another user when the supervisor is root, and programs
 * restrict themselves. `thread`: neither; for development.
 */
export function threadOrProcess(level: 'thread' | 'process', uid: number | undefined): Isolation {
  const isOtherUser = level === 'process' && uid === 0;
  return {
    level,
    description:
      level === 'thread'
        ? 'functions run as the platform’s own user, without restrictions: for development only'
        : 'functions are separated by user and process only: for loopback listeners only',
    isRestricted: level === 'process',
    isOtherUser,
    folderInside: (stagingFolder) => stagingFolder,
    launch: (plan) => ({
      file: plan.file,
      args: plan.args,
      options: {
        cwd: plan.readableFolder,
        env: { ...scrubbedEnvironment },
        // A session and group of its own: a signal to the platform's group does not reach it, and one to its
        // group reaches all of it.
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
        ...(isOtherUser ? nobody : {}),
      },
    }),
  };
}
