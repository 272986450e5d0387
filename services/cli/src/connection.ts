/** How a command reaches the platform, and as whom. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EdgeClient, GantryClient } from '@gantry/client';
import { readEnvironment } from '@gantry/config';
import { messageOf } from '@gantry/kernel';
import type { Output } from './terminal.js';

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly cloudUrl?: string;
  readonly edgeUrl?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly dataDir?: string;
}

/** Where a running embedded platform says how to reach it; in its data folder. */
interface PlatformFile {
  readonly cloudUrl: string;
  readonly edgeUrl: string;
}
export const platformFileName = 'platform.json';
const defaultCloudUrl = 'http://127.0.0.1:1338';
const defaultEdgeUrl = 'http://127.0.0.1:1339';

export interface Connection {
  readonly client: GantryClient;
  readonly edge: EdgeClient;
  readonly output: Output;
}

export const outputOf = (options: GlobalOptions): Output => ({ isJson: options.json === true });

const dataDirOf = (options: GlobalOptions): string =>
  options.dataDir ?? readEnvironment('GANTRY_DATA_DIR') ?? './data';

/** Flag, then environment, then the platform that runs on the data folder, then the default ports of this machine. */
export function connect(options: GlobalOptions): Connection {
  const local = readPlatformFile(dataDirOf(options));
  const cloudUrl =
    options.cloudUrl ?? readEnvironment('GANTRY_CLOUD_URL') ?? local?.cloudUrl ?? defaultCloudUrl;
  const edgeUrl = options.edgeUrl ?? readEnvironment('GANTRY_EDGE_URL') ?? local?.edgeUrl ?? defaultEdgeUrl;
  const client = new GantryClient({ cloudUrl, credentials: credentialsOf(options) });
  return { client, edge: client.edge(edgeUrl), output: outputOf(options) };
}

/** The account that a command acts as; passwords come from files only, since arguments are seen by all users. */
export function credentialsOf(options: GlobalOptions): { name: string; password: string } {
  const path =
    options.passwordFile ??
    readEnvironment('GANTRY_PASSWORD_FILE') ??
    readEnvironment('GANTRY_ADMIN_PASSWORD_FILE') ??
    join(dataDirOf(options), 'admin-password');
  return { name: options.user ?? 'admin', password: readPassword(path) };
}

/** Keeps the file that commands of this data folder sign in with true after the first account's password changed. */
export function keepPassword(options: GlobalOptions, name: string, password: string): void {
  const path = join(dataDirOf(options), 'admin-password');
  if (name === 'admin' && existsSync(path)) writeFileSync(path, `${password}\n`, { mode: 0o600 });
}

/** The trimmed content of a password file. */
export function readPassword(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new Error(
      `the password file cannot be read: ${messageOf(error)}. Name it with --password-file, or run where ./data is.`,
    );
  }
}

function readPlatformFile(dataDir: string): PlatformFile | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, platformFileName), 'utf8')) as PlatformFile;
  } catch {
    return undefined;
  }
}
