import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from '@gantry/kernel';
import { toStoreError } from './libsql-errors.js';

/** The absolute path that a `file:` URL names; also understands `file:relative/path`. */
export function pathOf(url: string): string {
  const path = url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
  if (path === '' || path.includes(':memory:')) {
    throw new AppError(
      'invalid-request',
      'The store URL must name a file, for example file:./data/gantry.db',
    );
  }
  return resolve(path);
}

/**
 * Makes sure that the file exists and nobody else can read it: it holds password hashes and signing keys.
 * SQLite gives its -wal and -shm files the mode of the database.
 * @throws {AppError} store-unavailable
 */
export function prepareFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
    for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) chmodSync(file, 0o600);
  } catch (error) {
    throw toStoreError(error, path);
  }
}
