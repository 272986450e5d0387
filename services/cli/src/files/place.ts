/** What the words of a copy mean. Pure. */
import { posix } from 'node:path';
import { UsageError } from '../commands/usage-error.js';

/** A file or folder: on this machine, or on a node. */
export type Place =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'remote'; readonly node: string; readonly path: string };
export type RemotePlace = Place & { kind: 'remote' };

/**
 * `NODE:PATH` is on a node, everything else here; `./a:b` is here too, because a node has no slash in its name. A path
 * that is left out is the first folder that the node shares.
 */
export function parsePlace(word: string): Place {
  const [, node, path] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,62}):(.*)$/s.exec(word) ?? [];
  if (node === undefined || path === undefined) return { kind: 'local', path: word };
  return { kind: 'remote', node, path: path === '' ? '.' : path };
}

/** @throws {UsageError} */
export function parseRemote(word: string): RemotePlace {
  const place = parsePlace(word);
  if (place.kind === 'remote') return place;
  throw new UsageError(`"${word}" names no node; write NODE:PATH`);
}

/** As it was written. */
export const toWord = (place: Place): string =>
  place.kind === 'local' ? place.path : `${place.node}:${place.path}`;

/** What comes last in a path; a folder is called so where it is copied into another. @throws {UsageError} */
export function lastNameOf(path: string): string {
  const name = posix.basename(posix.normalize(path));
  if (name !== '' && name !== '.' && name !== '..' && name !== '/') return name;
  throw new UsageError(`"${path}" has no name of its own; name the target itself`);
}

/**
 * Whether a name that a node told is one plain name here.
 * A node that is not ours must not choose where on this machine something is written.
 */
export const isPlainName = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name) && name.length <= 255;
