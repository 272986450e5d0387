import { container, prepareContainers } from './container/container.js';
import { findCgroups } from './find-cgroups.js';
import { type Isolation, type IsolationChoice, IsolationError, type IsolationLevel } from './isolation.js';
import { probedFolder, probeIsolation } from './probe.js';
import { findSystem, sandbox } from './sandbox.js';
import { endStaleWrappers } from './stale-wrappers.js';
import { threadOrProcess } from './thread-or-process.js';

export interface IsolationContext {
  /** The supervisor's user; 0 is root. */
  readonly uid?: number | undefined;
  readonly architecture?: string;
  /** Only levels that hold against strangers are accepted (`NODE_ENV=production`). */
  readonly isProduction?: boolean;
}

/** The sandbox, tried out. @throws {IsolationError} */
async function resolveSandbox({
  uid = process.getuid?.(),
  architecture = process.arch,
}: IsolationContext): Promise<Isolation> {
  const isolation = sandbox({
    system: findSystem(),
    uid,
    architecture,
    cgroups: findCgroups(),
  });
  endStaleWrappers();
  await probeIsolation(isolation, probedFolder);
  return isolation;
}

/** The container, tried out. @throws {IsolationError} */
async function resolveContainer(uid: number | undefined): Promise<Isolation> {
  const isolation = container(await prepareContainers(uid));
  await probeIsolation(isolation, probedFolder);
  return isolation;
}

function resolveLevel(level: IsolationLevel, context: IsolationContext): Promise<Isolation> {
  const { uid = process.getuid?.() } = context;
  switch (level) {
    case 'thread':
    case 'process':
      return Promise.resolve(threadOrProcess(level, uid));
    case 'sandbox':
      return resolveSandbox(context);
    case 'container':
      return resolveContainer(uid);
  }
}

/** `auto`: the sandbox, or why not. */
async function resolveStrongest(context: IsolationContext): Promise<Isolation> {
  try {
    return await resolveLevel('sandbox', context);
  } catch (error) {
    if (!(error instanceof IsolationError) || context.isProduction === true) throw error;
    return { ...(await resolveLevel('process', context)), weakerBecause: error.reason };
  }
}

/**
 * Resolves a choice to the way programs are started, after trying it out. A level that was asked for is never
 * weakened; `auto` is the sandbox where it works and `process` elsewhere, with the reason in `weakerBecause`.
 * @throws {IsolationError} when the level cannot be had, with the reason and what to do
 */
export async function resolveIsolation(
  choice: IsolationChoice,
  context: IsolationContext = {},
): Promise<Isolation> {
  if (choice === 'auto') return resolveStrongest(context);
  if (context.isProduction === true && (choice === 'thread' || choice === 'process')) {
    throw new IsolationError(
      choice,
      'NODE_ENV=production accepts only "sandbox" and "container"; set runtime.isolation to one of them or to ' +
        '"auto", or leave production',
    );
  }
  return resolveLevel(choice, context);
}
