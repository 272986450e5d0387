import { access, chmod, constants, copyFile, link, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, parse } from 'node:path';
import type { LanguageRuntime } from '../languages/language.js';

/**
 * A folder that holds the programs of executor processes. The checkout may be below a home folder that nobody else
 * can enter, and an executor runs as another user: so it gets a copy in a place that user can read.
 *
 * I1  The name holds the supervisor's pid, so that the folders of supervisors that were killed can be found.
 */
const prefix = 'gantry-executor-';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return typeof error === 'object' && error !== null && 'code' in error && error.code === 'EPERM';
  }
};

/** Whether others may enter every folder above `path` (and the path itself, if it is one). */
async function isOpenToOthers(path: string, fileMode: number): Promise<boolean> {
  if (((await stat(path)).mode & fileMode) !== fileMode) return false;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
    if (folder === parse(folder).root) return true;
  }
}

async function chooseParent(isOtherUser: boolean): Promise<string> {
  const own = tmpdir();
  if (!isOtherUser || (await isOpenToOthers(own, 0o001))) return own;
  await access('/tmp', constants.W_OK);
  return '/tmp';
}

async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]);
    if (!(pid > 0) || isAlive(pid)) continue;
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => {
      // Another user's, or another supervisor is faster.
    });
  }
}

export interface Staging {
  readonly folder: string;
  /** The Node program itself, where the executor's user can run it. */
  readonly nodeFile: string;
  remove(): Promise<void>;
}

/** Stages all languages. The folder is world-readable and writable only by the supervisor's user. */
export async function createStaging(
  languages: readonly LanguageRuntime[],
  options: { isOtherUser: boolean },
): Promise<Staging> {
  const parent = await chooseParent(options.isOtherUser);
  await removeStale(parent);
  const folder = await mkdtemp(join(parent, `${prefix}${process.pid}-`)); // I1
  await chmod(folder, 0o755);
  for (const language of languages) await language.stage(folder);
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
