import type { SpawnOptions } from 'node:child_process';
import type { LaunchPlan } from './languages/language.js';

/** How strictly user code is separated from the machine, weakest first. */
export const isolationLevels = ['thread', 'process', 'sandbox', 'container'] as const;
export type IsolationLevel = (typeof isolationLevels)[number];

/** The level asked for cannot be had here; `message` says why and what to do. */
export class IsolationError extends Error {
  constructor(level: IsolationLevel, reason: string) {
    super(`isolation level "${level}" cannot be had: ${reason}`);
    this.name = 'IsolationError';
  }
}

/** The unprivileged user and group of every Debian and most other systems. */
const nobody = { uid: 65534, gid: 65534 };

/** What a program of the sandbox may see of an environment: enough to run, nothing of the platform. */
const scrubbedEnvironment = { LANG: 'C.UTF-8', TZ: 'UTC', PATH: '/usr/bin:/bin' } as const;

export interface Isolation {
  readonly level: IsolationLevel;
  /** Node's permission model is on. */
  readonly isRestricted: boolean;
  /** The program runs as another user than the supervisor. */
  readonly isOtherUser: boolean;
  wrap(plan: LaunchPlan): { file: string; args: readonly string[]; options: SpawnOptions };
}

/**
 * Resolves a level to the way programs are started. Never silently weaker.
 * @throws {IsolationError} when the level cannot be had
 */
export function resolveIsolation(level: IsolationLevel, uid = process.getuid?.()): Isolation {
  if (level === 'sandbox' || level === 'container') {
    throw new IsolationError(level, 'this release has no such level; choose "process"');
  }
  const isOtherUser = level === 'process' && uid === 0;
  return {
    level,
    isRestricted: level === 'process',
    isOtherUser,
    wrap: (plan) => ({
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
