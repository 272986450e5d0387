/** The folders that a caller may reach. */
import { mkdir, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { posix } from 'node:path';
import type { RootSettings } from './config.js';

export interface Root {
  readonly name: string;
  /** As it is configured, absolute. */
  readonly path: string;
  /** Where it really is. */
  readonly realPath: string;
  readonly isWritable: boolean;
}

/** The roots of one caller. One that is not there right now is left out. */
export async function openRoots(settings: readonly RootSettings[], user: string): Promise<readonly Root[]> {
  const roots = await Promise.all(
    settings.map(async ({ name, path: configured, writable, create }): Promise<Root | undefined> => {
      const path = posix.normalize(expand(configured, user));
      try {
        if (create) await mkdir(path, { recursive: true, mode: 0o700 });
        return { name, path, realPath: await realpath(path), isWritable: writable };
      } catch {
        return undefined;
      }
    }),
  );
  return roots.filter((root) => root !== undefined);
}

/** What is wrong with the roots, in words for the operator: one sentence for each that nobody can use. */
export async function findUnusableRoots(settings: readonly RootSettings[]): Promise<readonly string[]> {
  const found = await Promise.all(
    settings.map(async ({ name, path, create }) => {
      const mark = path.indexOf('{user}');
      // Folders of users may come later; what they are to lie in has to be there, unless it is made as well.
      if (mark !== -1 && create) return undefined;
      const shared = mark === -1 ? path : path.slice(0, path.lastIndexOf('/', mark)) || '/';
      const whole = posix.normalize(expand(shared, ''));
      try {
        if (create) await mkdir(whole, { recursive: true, mode: 0o700 });
        if ((await stat(whole)).isDirectory()) return undefined;
        return `the root "${name}" is not a folder: ${whole}`;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const why = code === 'ENOENT' ? 'is not there' : `cannot be used (${code ?? 'unknown'})`;
        return `the root "${name}" ${why}: ${whole}`;
      }
    }),
  );
  return found.filter((sentence) => sentence !== undefined);
}

const expand = (path: string, user: string): string =>
  path.replace(/^~(?=\/|$)/, homedir()).replaceAll('{user}', folderNameOf(user));

/** One folder name for any user name: two users never share one, and none leads elsewhere. */
export function folderNameOf(user: string): string {
  const encoded = encodeURIComponent(user);
  return /^\.+$/.test(encoded) || encoded === '' ? `%${encoded}` : encoded;
}

/** The root that holds a path, the innermost if there are several; compared with what `of` takes from each. */
export function rootOf(roots: readonly Root[], path: string, of: (root: Root) => string): Root | undefined {
  return roots.filter((root) => isInside(path, of(root))).sort((a, b) => of(b).length - of(a).length)[0];
}

/** Both absolute and normalised. */
const isInside = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
