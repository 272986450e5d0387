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
    createFile(path);
    for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) chmodSync(file, 0o600);
  } catch (error) {
    throw toStoreError(error, path);
  }
}

/**
 * Makes the file unless it is there. One that is there must not even be opened: closing any descriptor of a file drops
 * all locks that the process holds on it (fcntl(2)), SQLite's own included. The next process to close the database
 * would then take itself for the last one and remove the log that this one still writes to.
 */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!hasErrorCode(error, 'EEXIST')) throw error;
  }
}

const hasErrorCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;
