/**
 * Opens what a caller names, so that no symbolic link leads out of the roots, not even one that is put in place while
 * we look.
 *
 * The kernel's file descriptors do it: a folder is opened first, then asked where it really is
 * (`readlink /proc/self/fd/N`), and everything after happens relative to that very descriptor
 * (`/proc/self/fd/N/name`, which is what `openat` does), with O_NOFOLLOW on the last name. Renaming folders or putting
 * links into the path afterwards changes nothing about what the descriptor stands for.
 *
 * I1. Nothing is read, written or looked at through a path; only through a descriptor that was checked after opening.
 * I2. Whether a root may be written to is decided by where the folder really is, not by how it was named.
 * I3. Folders are opened with O_PATH, which has no effect on what is opened; files with O_NONBLOCK, so that a pipe
 *     cannot hold the agent.
 * Not prevented: hard links into a root (the kernel's `fs.protected_hardlinks` does), mounts inside a root (they belong
 * to it), and a folder that somebody else moves out of the root after it was opened.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { AppError } from '@gantry/kernel';
import { forPath } from './file-errors.js';
import { type Root, rootOf } from './roots.js';

/** Linux; the same number on all architectures that Node is built for. Node has no name for it. */
const O_PATH = 0x20_0000;
const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** As the kernel: more is a loop. */
const maxLinks = 40;

/** An open folder inside a root. Whoever gets one closes it. */
export class Folder {
  readonly handle: FileHandle;
  readonly root: Root;
  /** Where it was when it was opened. */
  readonly realPath: string;

  constructor(handle: FileHandle, root: Root, realPath: string) {
    this.handle = handle;
    this.root = root;
    this.realPath = realPath;
  }

  /** The folder itself, for calls that take a path. */
  get fdPath(): string {
    return `/proc/self/fd/${this.handle.fd}`;
  }

  /** An entry of the folder. `name` is one plain name. */
  at(name: string): string {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0'))
      throw new AppError('invalid-path', `"${name.slice(0, 255)}" is not a name of a file`);
    return `${this.fdPath}/${name}`;
  }

  /** @throws {AppError} file-access-denied. I2 */
  demandWritable(): void {
    if (!this.root.isWritable)
      throw new AppError('file-access-denied', `The root "${this.root.name}" of the node is read-only`);
  }

  /** Makes what was renamed or made in it last. */
  async sync(): Promise<void> {
    const readable = await open(this.fdPath, O_RDONLY | O_DIRECTORY);
    try {
      await readable.sync();
    } finally {
      await readable.close();
    }
  }

  /** A folder directly in it, which must not be a link. The root stays the same. */
  async openChild(name: string): Promise<Folder> {
    const handle = await open(this.at(name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    return new Folder(handle, this.root, posix.join(this.realPath, name));
  }

  /** A second descriptor of the same folder. */
  async reopen(): Promise<Folder> {
    return new Folder(await open(this.fdPath, O_PATH | O_DIRECTORY), this.root, this.realPath);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

export interface NamedEntry {
  readonly folder: Folder;
  readonly name: string;
}

export interface OpenFile {
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
  readonly path: string;
}

/** Opens paths for one caller, by the roots of this moment. */
export class SafePaths {
  readonly roots: readonly Root[];

  constructor(roots: readonly Root[]) {
    this.roots = roots;
  }

  /**
   * The absolute, normalised path; a relative one begins at the first root.
   * @throws {AppError} path-refused when it is not even written as inside a root
   */
  normalize(path: string): string {
    const first = this.roots[0];
    if (first === undefined) throw new AppError('path-refused', 'The node shares no folders');
    const whole = posix.normalize(path.startsWith('/') ? path : posix.join(first.path, path));
    const plain = whole.length > 1 && whole.endsWith('/') ? whole.slice(0, -1) : whole;
    // Before anything is touched: what lies outside is not even told from what is not there.
    const isNamedInside =
      rootOf(this.roots, plain, (root) => root.path) ?? rootOf(this.roots, plain, (root) => root.realPath);
    if (isNamedInside === undefined) throw refused(path);
    return plain;
  }

  /** The folder that a path names; links are followed as long as they stay inside. */
  openFolder(path: string): Promise<Folder> {
    const whole = this.normalize(path);
    return forPath(path, async () => {
      const handle = await open(whole, O_PATH | O_DIRECTORY);
      try {
        const realPath = await readlink(`/proc/self/fd/${handle.fd}`);
        // I2
        const root = rootOf(this.roots, realPath, (candidate) => candidate.realPath);
        if (root === undefined) throw refused(path);
        return new Folder(handle, root, realPath);
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  /**
   * The folder that holds an entry, and its name in there; the entry need not exist. A root itself has no parent here.
   * @throws {AppError} path-refused, file-not-found, invalid-path
   */
  async openParent(path: string): Promise<NamedEntry> {
    const whole = this.normalize(path);
    const isRoot = this.roots.some((root) => root.path === whole || root.realPath === whole);
    if (isRoot) throw new AppError('path-refused', `${path}: a root itself cannot be changed`);
    const folder = await this.openFolder(posix.dirname(whole));
    return { folder, name: posix.basename(whole) };
  }

  /**
   * A regular file for reading; links are followed as long as they stay inside.
   * @throws {AppError} wrong-file-type, path-refused, file-not-found
   */
  async openFile(path: string, links = 0): Promise<OpenFile> {
    if (links > maxLinks) throw new AppError('path-refused', `${path}: too many symbolic links`);
    const { folder, name } = await this.openParent(path);
    try {
      const target = await linkTargetOf(folder, name, path);
      if (target !== undefined) return await this.openFile(posix.resolve(folder.realPath, target), links + 1);
      return await openRegular(folder, name, path);
    } finally {
      await folder.close();
    }
  }
}

/** The text of a symbolic link; undefined when the entry is none. It is only a hint: opening checks again. */
async function linkTargetOf(folder: Folder, name: string, path: string): Promise<string | undefined> {
  return forPath(path, async () => {
    const stats = await lstat(folder.at(name));
    return stats.isSymbolicLink() ? readlink(folder.at(name)) : undefined;
  });
}

/** Opens one name of a folder as a regular file, not through a link. I3 */
async function openRegular(folder: Folder, name: string, path: string): Promise<OpenFile> {
  return forPath(path, async () => {
    const handle = await open(folder.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile())
        throw new AppError(
          'wrong-file-type',
          `${path}: ${stats.isDirectory() ? 'it is a folder' : 'it is not a regular file'}`,
        );
      return { handle, stats, path: posix.join(folder.realPath, name) };
    } catch (error) {
      await handle.close();
      throw error;
    }
  });
}

const refused = (path: string): AppError =>
  new AppError('path-refused', `${path.slice(0, 500)}: the path leads out of the roots of the node`);
