/** The folders that a caller may reach. */
import { mkdir, realpath } from 'node:fs/promises';
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
