/**
 * A real Slurm for tests: one controller and several virtual nodes on this machine, with munge, in a folder of its own
 * under the temp folder, on free loopback ports, with accounting only when it is asked for. It dies with the test process (parent death
 * signal), also when that is killed; jobs that run then end with their nodes.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { choosePorts } from './loopback-ports.js';
import { endProcess, untilUp } from './server-process.js';
import { accountingLines, SlurmAccounting } from './slurm-accounting.js';

const run = promisify(execFile);
const gpuDevices = ['/dev/null', '/dev/zero'] as const;
const clusterName = 'gantrytest';
const startTimeoutMs = 60_000;
/** Another process may take a port between our look and Slurm's. */
const startAttempts = 3;

export interface SlurmOptions {
  /** Virtual nodes, `n0` and so on, each with 2 processors and 2000 MB that nobody checks. Default 2. */
  readonly nodes?: number;
  /** Graphics cards of the first node, which nobody checks either. Default none. */
  readonly gpus?: 0 | 1 | 2;
  /** With slurmdbd and a database, and associations that are enforced. */
  readonly accounting?: boolean;
  /** More lines of slurm.conf. */
  readonly config?: string;
}

export interface Slurm {
  /** Path of slurm.conf: what SLURM_CONF is for the programs. */
  readonly conf: string;
  /** Runs one of its programs; answers what it prints. */
  command(program: string, ...args: string[]): Promise<string>;
  /** Ends the controller; nodes and their jobs go on. */
  stopController(): Promise<void>;
  startController(): Promise<void>;
  /** Only with accounting. */
  stopAccounting(): Promise<void>;
  startAccounting(): Promise<void>;
  /** Ends jobs, nodes and controller, and removes everything. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** @throws Error that names the Debian packages when Slurm is not installed */
export async function startSlurm(options: SlurmOptions = {}): Promise<Slurm> {
  for (const program of ['/usr/sbin/slurmctld', '/usr/sbin/slurmd', '/usr/sbin/munged'])
    if (!existsSync(program))
      throw new Error(`Slurm is not installed (no ${program}): apt-get install slurm-wlm munge`);
  for (let attempt = 1; ; attempt += 1) {
    const slurm = await SlurmServers.prepare(options);
    try {
      await slurm.start();
      return slurm;
    } catch (error) {
      await slurm.stop();
      if (attempt >= startAttempts || !/already in use|Address already/i.test(String(error))) throw error;
    }
  }
}

class SlurmServers implements Slurm {
  readonly conf: string;
  readonly #folder: string;
  readonly #nodes: readonly string[];
  readonly #accounting: SlurmAccounting | undefined;
  #munge: ChildProcess | undefined;
  #controller: ChildProcess | undefined;
  #daemons: ChildProcess[] = [];

  private constructor(folder: string, nodes: readonly string[], accountingPort: number | undefined) {
    this.#folder = folder;
    this.#nodes = nodes;
    this.conf = join(folder, 'slurm.conf');
    if (accountingPort === undefined) return;
    this.#accounting = new SlurmAccounting({
      folder,
      port: accountingPort,
      cluster: clusterName,
      mungeSocket: join(folder, 'munge.socket'),
      spawn: (program, args, env) => this.#spawn(program, args, env),
      command: (program, ...args) => this.command(program, ...args),
    });
  }

  static async prepare(options: SlurmOptions): Promise<SlurmServers> {
    const { nodes: count = 2, gpus = 0, accounting = false, config = '' } = options;
    const [port = 0, accountingPort = 0, ...ports] = await choosePorts(count + 2);
    const folder = mkdtempSync(join(tmpdir(), 'gantry-slurm-'));
    const nodes = ports.map((nodePort, at) => ({ name: `n${at}`, port: nodePort }));
    mkdirSync(join(folder, 'state'));
    mkdirSync(join(folder, 'log'));
    for (const { name } of nodes) mkdirSync(join(folder, 'spool', name), { recursive: true });
    writeFileSync(join(folder, 'munge.key'), randomBytes(1024), { mode: 0o400 });
    const more = accounting
      ? accountingLines(accountingPort, join(folder, 'munge.socket'))
      : ['AccountingStorageType=accounting_storage/none'];
    const text = configurationOf(folder, port, nodes, gpus, [...more, config]);
    writeFileSync(join(folder, 'slurm.conf'), text);
    // Any devices do: nothing keeps jobs from others, and nobody looks what they are.
    const cards = gpuDevices.slice(0, gpus).map((device) => `NodeName=n0 Name=gpu File=${device}\n`);
    writeFileSync(join(folder, 'gres.conf'), cards.join(''));
    return new SlurmServers(
      folder,
      nodes.map(({ name }) => name),
      accounting ? accountingPort : undefined,
    );
  }

  async start(): Promise<void> {
    const socket = join(this.#folder, 'munge.socket');
    this.#munge = this.#spawn('/usr/sbin/munged', [
      '--foreground',
      '--force',
      `--key-file=${join(this.#folder, 'munge.key')}`,
      `--socket=${socket}`,
      `--pid-file=${join(this.#folder, 'munged.pid')}`,
      `--log-file=${join(this.#folder, 'log', 'munged.log')}`,
      `--seed-file=${join(this.#folder, 'munged.seed')}`,
    ]);
    await this.#untilUp('munged', this.#munge, async () => existsSync(socket));
    await this.#accounting?.start();
    await this.startController();
    for (const node of this.#nodes) this.#daemons.push(this.#spawn('/usr/sbin/slurmd', ['-D', '-N', node]));
    const isIdle = async () => (await this.command('sinfo', '-h', '-N', '-o', '%T')).split('\n');
    const [first] = this.#daemons;
    if (first === undefined) return;
    await this.#untilUp('slurmd', first, async () => {
      const states = await isIdle().catch(() => ['down']);
      return states.every((state) => state === 'idle');
    });
  }

  async startController(): Promise<void> {
    this.#controller = this.#spawn('/usr/sbin/slurmctld', ['-D']);
    await this.#untilUp('slurmctld', this.#controller, async () => {
      const answer = await this.command('scontrol', 'ping').catch(() => '');
      return /is UP/.test(answer);
    });
  }

  async stopController(): Promise<void> {
    const controller = this.#controller;
    this.#controller = undefined;
    if (controller !== undefined) await endProcess(controller, 'SIGTERM');
  }

  async stopAccounting(): Promise<void> {
    await this.#accounting?.stopDaemon();
  }

  async startAccounting(): Promise<void> {
    await this.#accounting?.startDaemon();
  }

  async command(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await run(program, args, {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', SLURM_CONF: this.conf },
      timeout: 30_000,
    });
    return stdout.trim();
  }

  async stop(): Promise<void> {
    await this.#endJobs().catch(() => undefined);
    await Promise.all(this.#daemons.map((daemon) => endProcess(daemon, 'SIGTERM')));
    await this.stopController();
    await this.#accounting?.stop();
    if (this.#munge !== undefined) await endProcess(this.#munge, 'SIGTERM');
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Steps of jobs are processes of their own, which outlive their node's. */
  async #endJobs(): Promise<void> {
    await this.command('scancel', '--full', '--signal=KILL', '--me');
    await this.command('scancel', '--me');
    const giveUpMs = performance.now() + 15_000;
    while ((await this.command('squeue', '-h', '--me')) !== '' && performance.now() < giveUpMs)
      await new Promise((resolve) => setTimeout(resolve, 100));
  }

  #untilUp(what: string, child: ChildProcess, isUp: () => Promise<boolean>): Promise<void> {
    return untilUp(what, child, { isUp, log: () => this.#log(), timeoutMs: startTimeoutMs });
  }

  /** `setpriv` becomes the program, so the process id is the program's own. */
  #spawn(program: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
    const child = spawn('setpriv', ['--pdeathsig=KILL', '--', program, ...args], {
      cwd: this.#folder,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', SLURM_CONF: this.conf, ...env },
      stdio: 'ignore',
    });
    running.add(child);
    child.once('close', () => running.delete(child));
    return child;
  }

  #log(): string {
    const folder = join(this.#folder, 'log');
    return readdirSync(folder)
      .map((name) => `${name}: ${readFileSync(join(folder, name), 'utf8').slice(-2000)}`)
      .join('\n');
  }
}

function configurationOf(
  folder: string,
  port: number,
  nodes: readonly { readonly name: string; readonly port: number }[],
  gpus: number,
  more: readonly string[],
): string {
  const host = hostname().split('.')[0] ?? 'localhost';
  const { username } = userInfo();
  const all = nodes.map(({ name }) => name).join(',');
  const last = nodes.at(-1)?.name ?? '';
  return `${[
    `ClusterName=${clusterName}`,
    `SlurmctldHost=${host}(127.0.0.1)`,
    `SlurmctldPort=${port}`,
    `SlurmUser=${username}`,
    `SlurmdUser=${username}`,
    'AuthType=auth/munge',
    `AuthInfo=socket=${join(folder, 'munge.socket')}`,
    'CredType=cred/munge',
    `StateSaveLocation=${join(folder, 'state')}`,
    `SlurmdSpoolDir=${join(folder, 'spool')}/%n`,
    `SlurmctldPidFile=${join(folder, 'slurmctld.pid')}`,
    `SlurmdPidFile=${folder}/slurmd-%n.pid`,
    `SlurmctldLogFile=${join(folder, 'log', 'slurmctld.log')}`,
    `SlurmdLogFile=${folder}/log/slurmd-%n.log`,
    // No control groups: they are not ours to make on the machine of a test.
    'ProctrackType=proctrack/linuxproc',
    'TaskPlugin=task/none',
    'SelectType=select/cons_tres',
    'SelectTypeParameters=CR_Core',
    'SchedulerType=sched/backfill',
    'SchedulerParameters=sched_interval=1,sched_min_interval=100000,bf_interval=1,batch_sched_delay=0',
    'ReturnToService=2',
    'MpiDefault=none',
    'SwitchType=switch/none',
    'KillWait=2',
    'MinJobAge=600',
    // So long, not 10 s, do its programs look for a controller that is away.
    'MessageTimeout=5',
    'CommunicationParameters=NoAddrCache,NoCtldInAddrAny,NoInAddrAny',
    ...nodes.map(
      ({ name, port: nodePort }, at) =>
        `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${nodePort} CPUs=2 RealMemory=2000 ` +
        `State=UNKNOWN Feature=${at === 0 ? 'cpu,demo' : 'cpu'}${at === 0 && gpus > 0 ? ` Gres=gpu:${gpus}` : ''}`,
    ),
    ...(gpus > 0 ? ['GresTypes=gpu'] : []),
    `PartitionName=debug Nodes=${all} Default=YES MaxTime=01:00:00 State=UP`,
    `PartitionName=long Nodes=${last} Default=NO MaxTime=INFINITE State=UP`,
    ...more,
  ].join('\n')}\n`;
}
