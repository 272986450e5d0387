/**
 * The accounting of a Slurm for tests: slurmdbd with a MariaDB of its own, which listens on a socket in the folder of the
 * Slurm only. Both die with the test process.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endProcess, untilUp } from './server-process.js';

const run = promisify(execFile);
const startTimeoutMs = 60_000;

export interface AccountingOptions {
  /** Of the Slurm. */
  readonly folder: string;
  readonly port: number;
  readonly cluster: string;
  readonly mungeSocket: string;
  readonly spawn: (program: string, args: readonly string[], env: Record<string, string>) => ChildProcess;
  readonly command: (program: string, ...args: string[]) => Promise<string>;
}

/** For slurm.conf. */
export const accountingLines = (port: number, mungeSocket: string): readonly string[] => [
  'AccountingStorageType=accounting_storage/slurmdbd',
  'AccountingStorageHost=127.0.0.1',
  `AccountingStoragePort=${port}`,
  // With munge its "password" is where munge is.
  `AccountingStoragePass=${mungeSocket}`,
  'AccountingStorageEnforce=associations,limits,qos',
  'JobAcctGatherType=jobacct_gather/none',
  // sshare knows no other.
  'PriorityType=priority/multifactor',
  'PriorityCalcPeriod=1',
];

export class SlurmAccounting {
  readonly #options: AccountingOptions;
  #mariadb: ChildProcess | undefined;
  #daemon: ChildProcess | undefined;

  /** @throws Error that names the Debian packages when they are not installed */
  constructor(options: AccountingOptions) {
    for (const program of ['/usr/sbin/slurmdbd', '/usr/sbin/mariadbd'])
      if (!existsSync(program))
        throw new Error(
          `There is no ${program}: apt-get install slurmdbd slurm-wlm-mysql-plugin mariadb-server`,
        );
    this.#options = options;
  }

  /** Before the controller, which registers itself. */
  async start(): Promise<void> {
    const { folder, port, mungeSocket, spawn } = this.#options;
    const { username } = userInfo();
    const data = join(folder, 'mariadb');
    const socket = join(folder, 'mariadb.socket');
    const common = ['--no-defaults', `--user=${username}`, `--datadir=${data}`];
    await run('mariadb-install-db', [
      ...common,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
    ]);
    const log = join(folder, 'log', 'mariadb.log');
    this.#mariadb = spawn(
      '/usr/sbin/mariadbd',
      [
        ...common,
        `--socket=${socket}`,
        `--log-error=${log}`,
        `--pid-file=${join(folder, 'mariadb.pid')}`,
        '--skip-networking',
        '--innodb-buffer-pool-size=64M',
        '--innodb-lock-wait-timeout=900',
      ],
      {},
    );
    await untilUp('mariadbd', this.#mariadb, {
      isUp: () => this.#sql('create database if not exists slurm_acct_db', socket),
      log: () => readFileSync(log, 'utf8').slice(-4000),
      timeoutMs: startTimeoutMs,
    });
    const lines = [
      'AuthType=auth/munge',
      `AuthInfo=socket=${mungeSocket}`,
      'DbdAddr=127.0.0.1',
      'DbdHost=localhost',
      `DbdPort=${port}`,
      `SlurmUser=${username}`,
      `LogFile=${join(folder, 'log', 'slurmdbd.log')}`,
      `PidFile=${join(folder, 'slurmdbd.pid')}`,
      'StorageType=accounting_storage/mysql',
      'StorageHost=localhost',
      'StorageUser=root',
      'StorageLoc=slurm_acct_db',
    ];
    writeFileSync(join(folder, 'slurmdbd.conf'), `${lines.join('\n')}\n`, { mode: 0o600 });
    await this.startDaemon();
    await this.#options.command('sacctmgr', '-i', 'add', 'cluster', this.#options.cluster);
  }

  /** The daemon between Slurm and the database. */
  async startDaemon(): Promise<void> {
    const { folder, spawn, command } = this.#options;
    const env = { MYSQL_UNIX_PORT: join(folder, 'mariadb.socket') };
    this.#daemon = spawn('/usr/sbin/slurmdbd', ['-D'], env);
    await untilUp('slurmdbd', this.#daemon, {
      isUp: () =>
        command('sacctmgr', '-n', 'show', 'cluster').then(
          () => true,
          () => false,
        ),
      log: () => readFileSync(join(folder, 'log', 'slurmdbd.log'), 'utf8').slice(-4000),
      timeoutMs: startTimeoutMs,
    });
  }

  async stopDaemon(): Promise<void> {
    if (this.#daemon !== undefined) await endProcess(this.#daemon, 'SIGTERM');
    this.#daemon = undefined;
  }

  async stop(): Promise<void> {
    await this.stopDaemon();
    if (this.#mariadb !== undefined) await endProcess(this.#mariadb, 'SIGTERM');
  }

  #sql(text: string, socket: string): Promise<boolean> {
    return run('mariadb', ['--no-defaults', '--user=root', `--socket=${socket}`, '-e', text]).then(
      () => true,
      () => false,
    );
  }
}
