import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isStale, namesHere } from '../supervisor-name.js';
import { cgroupRoots, cgroupsNamed, killCgroup, removeCgroup } from './cgroups.js';
import { containerPrefix } from './container-folder.js';

/** A killed process leaves its control group within milliseconds. */
const leaveWithinMs = 2000;
const lookEveryMs = 10;

/**
 * Ends containers whose supervisor is gone and removes what they left. Two supervisors that start at once may both
 * find the same ones; nothing here minds.
 */
export async function removeStaleContainers(parentFolder: string): Promise<void> {
  const roots = cgroupRoots();
  const names = new Set([...cgroupsNamed(namesHere(containerPrefix), roots), ...readdirSync(parentFolder)]);
  for (const name of names) {
    if (isStale(containerPrefix, name)) await removeContainer(name, parentFolder, roots);
  }
}

/** Ends one container however far it is and removes its control groups and its folder. */
export async function removeContainer(
  name: string,
  parentFolder: string,
  roots: readonly string[],
): Promise<void> {
  for (let waitedMs = 0; waitedMs < leaveWithinMs; waitedMs += lookEveryMs) {
    killCgroup(name, roots);
    if (removeCgroup(name, roots)) break;
    await pause(lookEveryMs);
  }
  const folder = join(parentFolder, name);
  if (isOurs(folder)) rmSync(folder, { recursive: true, force: true });
}

/** In a folder for everybody's temporary files anybody can make one of this name, to have something else removed. */
function isOurs(folder: string): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}
