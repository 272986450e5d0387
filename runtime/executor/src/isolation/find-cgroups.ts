import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '@gantry/kernel';
import { type CgroupFolders, type CgroupParent, createCgroup, removeStaleCgroups } from './cgroup.js';

/**
 * Finds out whether this process may make cgroups, by making one. In version 2 a cgroup with children holds no
 * processes, so a supervisor that is alone in its own (a systemd service with `Delegate=yes`) moves into a child.
 */
const supervisorName = 'gantry-supervisor';
const trialBounds = { residentMiB: 64, scratchMiB: 1 };
const controllers = ['memory', 'pids', 'cpu'] as const;
const howTo = 'run the platform as a systemd service with Delegate=yes';

/** Where each controller's cgroup of this process is, from the texts of `/proc/self/cgroup` and `/proc/mounts`. */
export function locateCgroups(ownCgroups: string, mounts: string): CgroupFolders | undefined {
  const mountOf = (type: string, option?: string) => {
    for (const line of mounts.split('\n')) {
      const [, folder, kind, options = ''] = line.split(' ');
      if (kind !== type || folder === undefined) continue;
      if (option === undefined || options.split(',').includes(option)) return folder;
    }
    return undefined;
  };
  const paths = ownCgroups
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .filter((found) => found !== null);
  const pathOf = (controller: string) =>
    paths.find(([, names = '']) => names.split(',').includes(controller))?.[2];
  const first = controllers.map((controller) => {
    const [mount, path] = [mountOf('cgroup', controller), pathOf(controller)];
    return mount === undefined || path === undefined ? undefined : join(mount, path);
  });
  const [memory, pids, cpu] = first;
  if (memory !== undefined && pids !== undefined && cpu !== undefined)
    return { version: 1, memory, pids, cpu };
  const [mount, path] = [mountOf('cgroup2'), pathOf('')];
  if (mount === undefined || path === undefined) return undefined;
  const own = join(mount, path);
  return { version: 2, memory: own, pids: own, cpu: own };
}

const read = (file: string) => readFileSync(file, 'latin1').trim();

/** Gives the children of a version 2 cgroup their controllers. @throws {Error} with the reason */
export function openVersion2(own: string): string {
  // Another part of this process was here before.
  if (basename(own) === supervisorName) return dirname(own);
  const offered = read(join(own, 'cgroup.controllers')).split(' ');
  const lacking = controllers.filter((controller) => !offered.includes(controller));
  if (lacking.length > 0) throw new Error(`${own} has no controller ${lacking.join(', ')}; ${howTo}`);
  const enabled = read(join(own, 'cgroup.subtree_control')).split(' ');
  if (controllers.every((controller) => enabled.includes(controller))) return own;
  const processes = read(join(own, 'cgroup.procs')).split('\n');
  if (processes.some((pid) => Number(pid) !== process.pid)) {
    throw new Error(`${own} holds other processes; ${howTo}`);
  }
  const moved = join(own, supervisorName);
  mkdirSync(moved, { recursive: true });
  writeFileSync(join(moved, 'cgroup.procs'), String(process.pid));
  writeFileSync(join(own, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '));
  return own;
}

function openCgroups(): CgroupFolders {
  const found = locateCgroups(read('/proc/self/cgroup'), read('/proc/mounts'));
  if (found === undefined) throw new Error('the memory, pids and cpu controllers are not mounted');
  if (found.version === 1) return found;
  const folder = openVersion2(found.memory);
  return { version: 2, memory: folder, pids: folder, cpu: folder };
}

/** A place for cgroups of programs, or why there is none; removes what killed supervisors left. */
export function findCgroups(): CgroupParent | { readonly missing: string } {
  try {
    const folders = openCgroups();
    removeStaleCgroups(folders);
    createCgroup(folders, trialBounds).remove();
    return { path: folders.memory, create: (bounds) => createCgroup(folders, bounds) };
  } catch (error) {
    const reason = messageOf(error);
    return { missing: reason.includes(howTo) ? reason : `${reason}; ${howTo}` };
  }
}
