import { chmodSync, existsSync, readdirSync } from 'node:fs';
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
 * I2  It is in a folder for temporary files, so something may remove it, in whole or in part. Then another one takes
 *     its place, under another name: in a folder of everybody's the old name may be anybody's meanwhile.
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

/** Programs that were put in place once. */
interface Staged {
  readonly folder: string;
  readonly nodeFile: string;
  readonly files: readonly string[];
}

export class Staging {
  readonly #runtimes: readonly LanguageRuntime[];
  readonly #isOtherUser: boolean;
  #staged: Staged;
  /** What {@link mend} replaced: processes that run may still find something there. */
  #replaced: string | undefined;
  #mending: Promise<boolean> | undefined;
  #isRemoved: boolean = false;

  constructor(runtimes: readonly LanguageRuntime[], isOtherUser: boolean, staged: Staged) {
    this.#runtimes = runtimes;
    this.#isOtherUser = isOtherUser;
    this.#staged = staged;
  }

  /** Another one after {@link mend} (I2): to be read for each start of a process. */
  get folder(): string {
    return this.#staged.folder;
  }

  /** The Node program itself, where the executor's user can run it. */
  get nodeFile(): string {
    return this.#staged.nodeFile;
  }

  /** Puts the programs in place again if something removed any of them (I2). Answers whether it had to. */
  mend(): Promise<boolean> {
    this.#mending ??= this.#mend().finally(() => {
      this.#mending = undefined;
    });
    return this.#mending;
  }

  async #mend(): Promise<boolean> {
    if (this.#isRemoved || this.#staged.files.every((file) => existsSync(file))) return false;
    const damaged = this.#staged.folder;
    this.#staged = await stageAll(this.#runtimes, this.#isOtherUser);
    if (this.#replaced !== undefined) await rm(this.#replaced, { recursive: true, force: true });
    this.#replaced = damaged;
    return true;
  }

  async remove(): Promise<void> {
    this.#isRemoved = true;
    await this.#mending?.catch(() => undefined);
    for (const folder of [this.#staged.folder, this.#replaced])
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** Stages all programs. The folder is world-readable and writable only by the supervisor's user. */
export async function createStaging(
  runtimes: readonly LanguageRuntime[],
  { isOtherUser }: { isOtherUser: boolean },
): Promise<Staging> {
  return new Staging(runtimes, isOtherUser, await stageAll(runtimes, isOtherUser));
}

async function stageAll(runtimes: readonly LanguageRuntime[], isOtherUser: boolean): Promise<Staged> {
  const parent = await chooseParent(isOtherUser);
  await removeStale(parent);
  const folder = await mkdtemp(join(parent, namesOf(stagingPrefix, process.pid))); // I1
  await chmod(folder, 0o755);
  for (const runtime of runtimes) await runtime.stage(folder);
  const files = openForReading(folder);
  const isRunnable = !isOtherUser || (await isOpenToOthers(process.execPath, 0o005));
  if (isRunnable) return { folder, files, nodeFile: process.execPath };
  const nodeFile = await stageNode(folder);
  return { folder, files: [...files, nodeFile], nodeFile };
}

/**
 * Whatever the umask and the modes of the checkout: others may read, only the owner may write. Answers all files. In
 * one go, because a runtime waits for it that loads its own program meanwhile.
 */
function openForReading(folder: string): string[] {
  const files: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    chmodSync(path, entry.isDirectory() ? 0o755 : 0o644);
    if (!entry.isDirectory()) files.push(path);
  }
  return files;
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
