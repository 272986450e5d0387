/**
 * A real PostgreSQL server for tests: a data folder of its own under the temp folder, a free loopback port, password
 * sign-in only. PostgreSQL refuses to run as root, so as root it runs as `postgres` or `nobody`. It dies with the test
 * process (parent death signal), also when that is killed.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { choosePorts } from './loopback-ports.js';
import { endProcess, untilUp } from './server-process.js';

const run = promisify(execFile);
const user = 'gantry';
const startTimeoutMs = 60_000;
const versionsFolder = '/usr/lib/postgresql';

export interface PostgresServer {
  /** Of the first database. */
  readonly url: string;
  /** Makes an empty database and answers its URL. */
  createDatabase(): Promise<string>;
  /** Runs SQL as the superuser, in the first database or the given one; answers what psql prints without decoration. */
  sql(text: string, url?: string): Promise<string>;
  /** Stops it and starts it again on the same port, with the same data. */
  restart(): Promise<void>;
  /** SIGKILL to the server; the data stay. `start` brings it back, with recovery. */
  kill9(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP to the server and its backends: connections stay open and nothing answers. */
  suspend(): void;
  resume(): void;
  /** Stops it and removes its data. */
  stop(): Promise<void>;
}

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** @throws Error that names the Debian package when PostgreSQL is not installed */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = findBinaries();
  const identity = process.getuid?.() === 0 ? unprivileged() : undefined;
  const folder = mkdtempSync(join(tmpdir(), 'gantry-postgres-'));
  const password = randomBytes(16).toString('hex');
  const [port = 0] = await choosePorts(1);
  const data = join(folder, 'data');
  const urlOf = (database: string) => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
  let server: ChildProcess | undefined;
  let databases = 0;

  const start = async () => {
    const settings = [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'fsync=off',
      'max_connections=100',
    ];
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    server = spawn(
      'setpriv',
      [...asIdentity(identity), '--pdeathsig=INT', '--', join(bin, 'postgres'), ...args],
      {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    await untilReady(server, bin, port);
  };
  /** The server itself and its children; they are asked for each time because backends come and go. */
  const signalAll = (signal: NodeJS.Signals) => {
    const pid = server?.exitCode === null && server.signalCode === null ? server.pid : undefined;
    if (pid === undefined) return;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean);
    for (const each of [pid, ...children.map(Number)]) {
      try {
        process.kill(each, signal);
      } catch {
        // A backend that ended in between.
      }
    }
  };
  const end = async (signal: NodeJS.Signals) => {
    if (server === undefined) return;
    const ending = server;
    // What is suspended can neither shut down nor notice that the server is gone.
    signalAll('SIGCONT');
    server = undefined;
    await endProcess(ending, signal);
  };
  const sql = async (text: string, url = urlOf('postgres')) => {
    const { stdout } = await run(join(bin, 'psql'), [
      '-X',
      '-q',
      '-A',
      '-t',
      '-v',
      'ON_ERROR_STOP=1',
      '-c',
      text,
      url,
    ]);
    return stdout.trim();
  };
  try {
    await initialise(bin, folder, data, password, identity);
    await start();
  } catch (error) {
    await end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url: urlOf('postgres'),
    sql,
    start,
    createDatabase: async () => {
      databases += 1;
      await sql(`create database test_${databases}`);
      return urlOf(`test_${databases}`);
    },
    restart: async () => {
      await end('SIGINT');
      await start();
    },
    kill9: () => end('SIGKILL'),
    suspend: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    stop: async () => {
      await end('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findBinaries(): string {
  const versions = existsSync(versionsFolder) ? readdirSync(versionsFolder) : [];
  const newest = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(versionsFolder, version, 'bin'));
  const bin = newest.find((candidate) => existsSync(join(candidate, 'initdb')));
  if (bin === undefined) {
    throw new Error(
      `PostgreSQL is not installed (no initdb under ${versionsFolder}): apt-get install postgresql`,
    );
  }
  return bin;
}

function unprivileged(): Identity {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody"');
}

const asIdentity = (identity: Identity | undefined): string[] =>
  identity === undefined ? [] : [`--reuid=${identity.uid}`, `--regid=${identity.gid}`, '--clear-groups'];

async function initialise(
  bin: string,
  folder: string,
  data: string,
  password: string,
  identity: Identity | undefined,
): Promise<void> {
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (identity !== undefined)
    for (const path of [folder, passwordFile]) chownSync(path, identity.uid, identity.gid);
  const args = [
    '-D',
    data,
    '-U',
    user,
    '--pwfile',
    passwordFile,
    '--auth=scram-sha-256',
    '--no-sync',
    '-E',
    'UTF8',
  ];
  await run('setpriv', [...asIdentity(identity), '--', join(bin, 'initdb'), ...args, '--locale=C.UTF-8'], {
    cwd: folder,
    timeout: startTimeoutMs,
  });
  rmSync(passwordFile);
}

function untilReady(server: ChildProcess, bin: string, port: number): Promise<void> {
  let log = '';
  server.stderr?.on('data', (chunk: Buffer) => {
    log = `${log}${chunk.toString()}`.slice(-4000);
  });
  const isUp = () =>
    run(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)]).then(
      () => true,
      () => false,
    );
  return untilUp('PostgreSQL', server, { isUp, log: () => log, timeoutMs: startTimeoutMs });
}
