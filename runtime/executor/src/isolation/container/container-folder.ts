import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { insideFolders, shownFolders, shownSettings } from '../bubblewrap-arguments.js';
import { namesOf } from '../supervisor-name.js';

/**
 * The folder of one container: its description, the state that runc keeps, and a root folder of nothing but mount
 * points. Its name is the container's.
 */
export interface ContainerFolder {
  readonly name: string;
  readonly path: string;
  readonly rootFolder: string;
  readonly stateFolder: string;
  readonly pidFile: string;
  /** What of the machine is to be mounted, at its own place. */
  readonly visiblePaths: readonly string[];
}

/** What the names of all containers begin with; see `supervisor-name.ts`. */
export const containerPrefix = 'gantry-container-';
/** Links into `/usr` on today's systems, folders of their own on older ones. */
const systemFolders = ['/lib', '/lib32', '/lib64'];

/** Makes the folder. `extraPaths` are files of the machine that the container shall see as well. */
export function makeContainerFolder(parentFolder: string, extraPaths: readonly string[]): ContainerFolder {
  const path = mkdtempSync(join(parentFolder, namesOf(containerPrefix, process.pid)));
  // The container's own user 0, which is nobody here, passes through.
  chmodSync(path, 0o711);
  const rootFolder = join(path, 'root');
  for (const folder of ['/proc', '/dev', insideFolders.scratch, insideFolders.programs]) {
    mkdirSync(join(rootFolder, folder), { recursive: true, mode: 0o755 });
  }
  // runc gives what it mounts the mode of the mount point.
  chmodSync(join(rootFolder, insideFolders.scratch), 0o700);
  const visiblePaths = [...shownFolders, ...shownSettings, ...extraPaths].filter((each) => existsSync(each));
  visiblePaths.push(...linkSystem(rootFolder));
  for (const each of visiblePaths) makeMountPoint(rootFolder, each);
  return {
    name: basename(path),
    path,
    rootFolder,
    stateFolder: join(path, 'state'),
    pidFile: join(path, 'pid'),
    visiblePaths,
  };
}

export function writeSpec(folder: ContainerFolder, spec: object): void {
  writeFileSync(join(folder.path, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
}

/** Repeats the machine's links into `/usr`; returns those that are folders of their own on this machine. */
function linkSystem(rootFolder: string): string[] {
  return systemFolders.filter((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isSymbolicLink() !== true) return found !== undefined;
    symlinkSync(readlinkSync(path), join(rootFolder, path));
    return false;
  });
}

function makeMountPoint(rootFolder: string, path: string): void {
  const target = join(rootFolder, path);
  if (lstatSync(path).isDirectory()) {
    mkdirSync(target, { recursive: true, mode: 0o755 });
    return;
  }
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  writeFileSync(target, '');
}
