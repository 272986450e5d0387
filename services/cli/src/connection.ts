/** How a command reaches the platform, and as whom. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type BridgeClient, type EdgeClient, GantryClient } from '@gantry/client';
import { readEnvironment } from '@gantry/config';
import { isLockHeld } from '@gantry/edge-frontend/process-lock';
import { messageOf } from '@gantry/kernel';
import { UsageError } from './commands/usage-error.js';
import type { Output } from './terminal.js';

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly cloudUrl?: string;
  readonly edgeUrl?: string;
  readonly bridgeUrl?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly dataDir?: string;
}

/** Where a running embedded platform says how to reach it; in its data folder. */
interface PlatformFile {
  readonly cloudUrl: string;
  readonly edgeUrl: string;
  readonly bridgeUrl: string;
}
export const platformFileName = 'platform.json';
/** Held by the process of a running platform; in its data folder. */
export const lockFileName = 'gantry.lock';
export const defaultUrls: PlatformFile = {
  cloudUrl: 'http://127.0.0.1:1338',
  edgeUrl: 'http://127.0.0.1:1339',
  bridgeUrl: 'http://127.0.0.1:1341',
};
const flags = { cloudUrl: '--cloud-url', edgeUrl: '--edge-url', bridgeUrl: '--bridge-url' } as const;

/** The platform that the credentials belong to does not run: exit code 4. */
export class NotRunningError extends Error {
  readonly code = 'not-running';
}

/** `edge` and `bridge` throw {@link NotRunningError} when no address is known that the credentials may go to. */
export interface Connection {
  readonly client: GantryClient;
  readonly edge: EdgeClient;
  readonly bridge: BridgeClient;
  readonly output: Output;
}

export const outputOf = (options: GlobalOptions): Output => ({ isJson: options.json === true });

/** The data folder that was named, by flag or environment. */
const namedDataDir = (options: GlobalOptions): string | undefined =>
  options.dataDir ?? readEnvironment('GANTRY_DATA_DIR');

/** The data folder that a command works with. */
export const dataDirOf = (options: GlobalOptions): string => namedDataDir(options) ?? './data';

/**
 * Flag, then environment, then the platform that runs on the data folder. Only a password that was named by itself,
 * without a data folder, goes to the default ports of this machine: there may be another platform than the folder's.
 * @throws {NotRunningError} when the credentials are those of a data folder whose platform does not run
 */
export function connect(options: GlobalOptions): Connection {
  const running = runningPlatform(dataDirOf(options));
  const isFree = hasFreeCredentials(options);
  const addressOf = (given: string | undefined, key: keyof PlatformFile): string => {
    const url = given ?? running?.[key] ?? (isFree ? defaultUrls[key] : undefined);
    if (url === undefined) throw notRunning(dataDirOf(options), flags[key]);
    return url;
  };
  const cloudUrl = addressOf(options.cloudUrl ?? readEnvironment('GANTRY_CLOUD_URL'), 'cloudUrl');
  const client = new GantryClient({ cloudUrl, credentials: credentialsOf(options) });
  return {
    client,
    get edge() {
      return client.edge(addressOf(options.edgeUrl ?? readEnvironment('GANTRY_EDGE_URL'), 'edgeUrl'));
    },
    get bridge() {
      return client.bridge(addressOf(options.bridgeUrl ?? readEnvironment('GANTRY_BRIDGE_URL'), 'bridgeUrl'));
    },
    output: outputOf(options),
  };
}

/** Whether an edge frontend is named, or a platform runs on the data folder. */
export const reachesPlatform = (options: GlobalOptions): boolean =>
  options.edgeUrl !== undefined ||
  readEnvironment('GANTRY_EDGE_URL') !== undefined ||
  runningPlatform(dataDirOf(options)) !== undefined;

/** The account that a command acts as; passwords come from files only, since arguments are seen by all users. */
export function credentialsOf(options: GlobalOptions): { name: string; password: string } {
  const dataDir = dataDirOf(options);
  const path =
    namedPasswordFile(options) ??
    readEnvironment('GANTRY_ADMIN_PASSWORD_FILE') ??
    join(dataDir, 'admin-password');
  const wayOut = `Name it with --password-file, or the data folder of the platform with --data-dir (now ${dataDir}).`;
  return { name: options.user ?? 'admin', password: readPassword(path, wayOut) };
}

const namedPasswordFile = (options: GlobalOptions): string | undefined =>
  options.passwordFile ?? readEnvironment('GANTRY_PASSWORD_FILE');

/** Whether the password belongs to no data folder: it was named, no folder was, and it does not lie in the default one. */
function hasFreeCredentials(options: GlobalOptions): boolean {
  const file = namedPasswordFile(options);
  if (file === undefined || namedDataDir(options) !== undefined) return false;
  return dirname(resolve(file)) !== resolve(dataDirOf(options));
}

function notRunning(dataDir: string, flag: string): NotRunningError {
  const start = dataDir === './data' ? 'npm start' : `GANTRY_DATA_DIR=${dataDir} npm start`;
  return new NotRunningError(
    `the platform of ${dataDir} is not running; start it with "${start}", or name another with ${flag}`,
  );
}

/**
 * Keeps the file that commands of this data folder sign in with true after the first account's password changed at
 * `cloudUrl`; the password of another platform does not belong there.
 */
export function keepPassword(
  options: GlobalOptions,
  { cloudUrl, name, password }: { cloudUrl: string; name: string; password: string },
): void {
  const path = join(dataDirOf(options), 'admin-password');
  if (runningPlatform(dataDirOf(options))?.cloudUrl !== cloudUrl) return;
  if (name === 'admin' && existsSync(path)) writeFileSync(path, `${password}\n`, { mode: 0o600 });
}

/** The trimmed content of a password file. @throws {UsageError} with what to do, `wayOut` */
export function readPassword(path: string, wayOut: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`the password file cannot be read: ${messageOf(error)}. ${wayOut}`);
  }
}

/** The platform that runs on a data folder. After a crash its file is left, but other programs may have its ports. */
export function runningPlatform(dataDir: string): PlatformFile | undefined {
  try {
    const file = JSON.parse(readFileSync(join(dataDir, platformFileName), 'utf8')) as PlatformFile;
    return isLockHeld(join(dataDir, lockFileName)) ? file : undefined;
  } catch {
    return undefined;
  }
}
