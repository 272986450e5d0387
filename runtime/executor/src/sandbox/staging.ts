import {
  access,
  chmod,
  constants,
  copyFile,
  link,
  lstat,
  mkdtemp,
  readdir,
  rm,
  stat,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, parse } from 'node:path';
import { isStale, namesOf } from '../isolation/supervisor-name.js';
import type { LanguageRuntime } from '../languages/language.js';

/**
 * A folder that holds the programs of executor processes. The checkout may be below a home folder that nobody else
 * can enter, and an executor runs as another user: so it gets a copy in a place that user can read.
 *
 * I1  The name says which supervisor made it, so that the folders of those that were killed can be found.
 */
/** What the names of all such folders begin with; see `supervisor-name.ts`. */
export const stagingPrefix = 'gantry-executor-';

/** Whether others may enter every folder above `path` (and the path itself, if it is one). */
async function isOpenToOthers(path: string, fileMode: number): Promise<boolean> {
  if (((await stat(path)).mode & fileMode) !== fileMode) return false;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
    if (folder === parse(folder).root) return true;
  }
}

/** A folder for temporary files, which another user can enter where one has to. */
export async function chooseParent(isOtherUser: boolean): Promise<string> {
  const own = tmpdir();
  if (!isOtherUser || (await isOpenToOthers(own, 0o001))) return own;
  await access('/tmp', constants.W_OK);
  return '/tmp';
}

async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!isStale(stagingPrefix, name) || !(await isOurs(join(parent, name)))) continue;
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => {
      // Another supervisor is faster.
    });
  }
}

/** In a folder for everybody's temporary files anybody can make one of this name, to have something else removed. */
async function isOurs(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}

export interface Staging {
  readonly folder: string;
  /** The Node program itself, where the executor's user can run it. */
  readonly nodeFile: string;
  remove(): Promise<void>;
}

/** Stages all programs. The folder is world-readable and writable only by the supervisor's user. */
export async function createStaging(
  runtimes: readonly LanguageRuntime[],
  options: { isOtherUser: boolean },
): Promise<Staging> {
  const parent = await chooseParent(options.isOtherUser);
  await removeStale(parent);
  const folder = await mkdtemp(join(parent, namesOf(stagingPrefix, process.pid))); // I1
  await chmod(folder, 0o755);
  for (const runtime of runtimes) await runtime.stage(folder);
  await openForReading(folder);
  const isRunnable = !options.isOtherUser || (await isOpenToOthers(process.execPath, 0o005));
  return {
    folder,
    nodeFile: isRunnable ? process.execPath : await stageNode(folder),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Whatever the umask and the modes of the checkout: others may read, only the owner may write. */
async function openForReading(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    await chmod(path, entry.isDirectory() ? 0o755 : 0o644);
    if (entry.isDirectory()) await openForReading(path);
  }
}

async function stageNode(folder: string): Promise<string> {
  const target = join(folder, 'node');
  const mode = (await stat(process.execPath)).mode;
  try {
    if ((mode & 0o005) !== 0o005) throw new Error('others may not run it');
    await link(process.execPath, target);
  } catch {
    await copyFile(process.execPath, target);
    await chmod(target, 0o755);
  }
  return target;
}
