/** What runtimes prove themselves with at the edge frontend: a random text in a file that only its owner can read. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@gantry/config';

const setting = 'GANTRY_RUNTIME_CREDENTIAL_FILE';

/** Where a data folder keeps the credential of its own. */
export const runtimeCredentialFileOf = (dataDir: string): string => join(dataDir, 'runtime-credential');

/** The credential in a file that was named. @throws {ConfigError} when it cannot be read or is empty */
export function readRuntimeCredential(path: string): string {
  const text = readOf(path);
  if (text === undefined) throw new ConfigError([`${setting}: cannot read the file "${path}"`]);
  if (text === '') throw new ConfigError([`${setting}: the file "${path}" is empty`]);
  return text;
}

/**
 * The credential of a data folder, made at the first call (mode 0600) and kept: runtimes that run on were given it.
 * @throws {Error} when it cannot be written
 */
export function keepRuntimeCredential(dataDir: string): string {
  const path = runtimeCredentialFileOf(dataDir);
  const kept = readOf(path);
  if (kept !== undefined && kept !== '') {
    chmodSync(path, 0o600);
    return kept;
  }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flush: true });
    renameSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
  return readRuntimeCredential(path);
}

function readOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
