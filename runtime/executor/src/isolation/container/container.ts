import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseParent } from '../../sandbox/staging.js';
import { insideFolders, libraryOf } from '../bubblewrap-arguments.js';
import { type Isolation, IsolationError } from '../isolation.js';
import { takeUserNumber } from '../user-numbers.js';
import { cgroupRoots } from './cgroups.js';
import { makeContainerFolder, writeSpec } from './container-folder.js';
import { buildSpec, type MachineAbilities, prlimitFile, setprivFile } from './oci-spec.js';
import { RunningContainer } from './running-container.js';
import { removeStaleContainers } from './stale-containers.js';

/**
 * Level `container`: a container of runc (https://github.com/opencontainers/runc) around each program, without an
 * image and without an engine.
 *
 * I1  All limits are kept by control groups; where they cannot be had the level cannot be had.
 * I2  The supervisor's death ends runc, and that ends the container, whatever runs in it.
 * I3  What a killed supervisor left is removed at the next start of one on this machine.
 */
const searchedFolders = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'] as const;

export interface ContainerParts {
  readonly runcFile: string;
  readonly machine: MachineAbilities;
  /** Where folders of containers are made; gone with them. */
  readonly parentFolder: string;
  readonly cgroupRoots: readonly string[];
}

/**
 * Finds what the level needs and removes what killed supervisors left.
 * @throws {IsolationError} when something is missing, with what to do
 */
export async function prepareContainers(uid = process.getuid?.()): Promise<ContainerParts> {
  if (uid !== 0) refuse('it needs root, which alone can limit memory and processes; choose "sandbox"');
  const runcFile = searchedFolders.map((folder) => join(folder, 'runc')).find(isExecutable);
  if (runcFile === undefined) refuse('there is no runc; install it (Debian: runc)');
  const missing = [setprivFile, prlimitFile].find((file) => !isExecutable(file));
  if (missing !== undefined) refuse(`there is no ${missing}; install it (Debian: util-linux)`);
  const roots = cgroupRoots();
  if (roots.length === 0) refuse('no control groups are mounted, which limit memory and processes');
  const parentFolder = await chooseParent(true);
  await removeStaleContainers(parentFolder); // I3
  return { runcFile, machine: findAbilities(roots), parentFolder, cgroupRoots: roots };
}

/** The level as this machine can have it. Whether runc works here is found out by trying it. */
export function container(parts: ContainerParts): Isolation {
  const { runcFile, machine, parentFolder } = parts;
  return {
    level: 'container',
    description: `functions run in containers of runc, limited by control groups, ${
      machine.hasUserNamespaces
        ? 'in user namespaces'
        : 'without user namespaces, which this machine does not allow'
    }`,
    isRestricted: true,
    isOtherUser: true,
    folderInside: () => insideFolders.programs,
    launch: (plan, bounds) => {
      const isStaged = plan.file.startsWith(`${plan.readableFolder}/`);
      const programPaths = isStaged ? [] : [plan.file, ...libraryOf(plan.file)];
      const folder = makeContainerFolder(parentFolder, [setprivFile, prlimitFile, ...programPaths]);
      const hostUserId = takeUserNumber();
      writeSpec(folder, buildSpec({ ...folder, plan, bounds, machine, hostUserId }));
      return {
        file: setprivFile,
        args: [
          ...['--pdeathsig', 'KILL', runcFile, '--root', folder.stateFolder, 'run', '--keep'], // I2
          ...['--preserve-fds', '1', '--pid-file', folder.pidFile, '--bundle', folder.path, folder.name],
        ],
        options: { cwd: '/', env: {}, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] },
        started: (child) => new RunningContainer(child, folder, parts.cgroupRoots, bounds),
      };
    },
  };
}

function findAbilities(roots: readonly string[]): MachineAbilities {
  const maxNamespaces = readNumber('/proc/sys/user/max_user_namespaces');
  // Version 1 may be without it (boot option swapaccount); version 2 always has it.
  const memoryRoot = roots.find((root) => existsSync(join(root, 'memory.limit_in_bytes')));
  return {
    hasUserNamespaces: maxNamespaces > 0,
    hasSwapLimit: memoryRoot === undefined || existsSync(join(memoryRoot, 'memory.memsw.limit_in_bytes')),
  };
}

function readNumber(file: string): number {
  try {
    return Number(readFileSync(file, 'latin1'));
  } catch {
    return 0;
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function refuse(reason: string): never {
  throw new IsolationError('container', reason);
}
