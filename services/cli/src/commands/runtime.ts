import { FleetScaler, localFleet, type RuntimeProcess } from '@gantry/edge-frontend';
import type { Command } from 'commander';
import { connect, reachesPlatform } from '../connection.js';
import { hasOwnBroker, type LaunchOptions, localLaunch, localProcesses } from '../runtimes/local-launch.js';
import { runAttached } from '../runtimes/run-attached.js';
import { type StopWish, stopRuntimes } from '../runtimes/stop-runtimes.js';
import { note, printResult, toTable, withProgress } from '../terminal.js';
import { countOf, onLocalAction } from './action.js';

interface StartOptions extends LaunchOptions {
  readonly slots?: string;
  readonly detach?: boolean;
}
interface StopOptions extends LaunchOptions {
  readonly all?: boolean;
  readonly now?: boolean;
  readonly timeout: string;
}
interface ScaleOptions extends LaunchOptions {
  readonly max: string;
}

const startTimeoutMs = 60_000;
/** For each runtime that is started or ended, and once more; as an edge frontend grants. */
const scaleEachMs = 60_000;

/** Where to look for those that are no processes of their own. */
const insidePlatform =
  'Those inside the platform are counted by "gantry flavours ls" and changed by "gantry runtime scale FLAVOUR NUMBER".';

/** `gantry runtime start|stop|scale|ls`: the runtimes of this machine. */
export function addRuntime(program: Command): void {
  const runtime = program.command('runtime').description('Runtimes as processes of this machine');
  onLocalAction<StartOptions>(
    runtime
      .command('start <flavour>')
      .description('Start one more runtime; drained by Ctrl-C, or by "gantry runtime stop"')
      .option('--slots <number>', 'executions at once')
      .option('--detach', 'return once it takes executions; its log goes to a file in the data folder')
      .option('--config <file>', 'YAML file with settings of the runtime, as config/runtime.yaml'),
    async (output, [flavour = ''], options) => {
      const launch = localLaunch(options, flavour);
      const processes = localProcesses(options);
      const slots = options.slots === undefined ? undefined : countOf('--slots', options.slots);
      if (options.detach !== true) {
        const onTaking = (one: RuntimeProcess) =>
          printResult(output, toView(one), `${one.id} takes executions; Ctrl-C drains and ends it.`);
        process.exitCode = await runAttached(processes, launch, { flavour, slots, onTaking });
        return;
      }
      const starting = processes.start(flavour, launch, { slots, timeoutMs: startTimeoutMs });
      const started = await withProgress(`starting a runtime for ${flavour}`, starting);
      const text = `${started.id} takes executions (process ${started.pid}); its log is ${started.logFile}`;
      printResult(output, toView(started), text);
    },
  );
  onLocalAction<StopOptions>(
    runtime
      .command('stop <flavour> [id]')
      .description('Drain runtimes and end them: what runs ends first, what waits goes to others')
      .option('--all', 'all of the flavour')
      .option('--timeout <seconds>', 'longest wait for what runs', '60')
      .option('--now', 'do not drain; what runs is lost'),
    async (output, [flavour = '', id], options) => {
      const timeoutMs = countOf('--timeout', options.timeout) * 1000;
      const { all, now } = options;
      const wanted = { ...toWish(flavour, id), isAll: all === true, isNow: now === true, timeoutMs };
      const stopped = await stopRuntimes(localProcesses(options), wanted);
      printResult(
        output,
        { stopped },
        stopped.map((one) => `${one} has ended`).join('\n') || `None runs as a process. ${insidePlatform}`,
      );
    },
  );
  onLocalAction<ScaleOptions>(
    runtime
      .command('scale <flavour> <number>')
      .description(
        'Start or drain runtimes until there are so many: of the running platform, else of this machine',
      )
      .option('--max <number>', 'most processes that this machine may have of the flavour', '64')
      .option('--config <file>', 'YAML file with settings of the runtimes'),
    async (output, [flavour = '', number = ''], options) => {
      const count = countOf('the number of runtimes', number);
      const isRemote = reachesPlatform(options) || !hasOwnBroker(options);
      const scaling = isRemote
        ? scalePlatform(options, flavour, count)
        : scaleMachine(options, flavour, count);
      const { initial, final } = await withProgress(`scaling ${flavour} to ${count}`, scaling);
      const value = { flavour, initial_cardinality: initial, final_cardinality: final };
      printResult(
        output,
        value,
        `${flavour} has ${final} runtime${final === 1 ? '' : 's'}; there were ${initial}.`,
      );
    },
  );
  onLocalAction<LaunchOptions>(
    runtime
      .command('ls')
      .description('List the runtime processes of this data folder, and those that were lost'),
    async (output, _words, options) => {
      const processes = localProcesses(options);
      const known = processes.list();
      const rows = known.map((one) => [one.id, one.state, one.pid, one.running, startedAt(one), one.logFile]);
      const heads = ['ID', 'STATE', 'PID', 'RUNNING', 'STARTED', 'LOG'];
      printResult(
        output,
        known.map(toView),
        toTable(heads, rows, `No runtime processes in this data folder. ${insidePlatform}`),
      );
      for (const one of known.filter(({ state }) => state === 'lost')) {
        note(`${one.id}: ${one.reason}. It is not listed again; see ${one.logFile}`);
        processes.forget(one);
      }
    },
  );
}

/** `Nature.2` as one word, or as two; no flavour has a dot in its name. */
function toWish(flavour: string, id: string | undefined): Pick<StopWish, 'flavour' | 'id'> {
  const dot = flavour.indexOf('.');
  return id === undefined && dot > 0 ? { flavour: flavour.slice(0, dot), id: flavour } : { flavour, id };
}

interface Cardinalities {
  readonly initial: number;
  readonly final: number;
}

async function scalePlatform(options: LaunchOptions, flavour: string, count: number): Promise<Cardinalities> {
  const scaled = await connect(options).edge.scaleRuntimes({ flavour, count });
  return { initial: scaled.initial_cardinality, final: scaled.final_cardinality };
}

async function scaleMachine(options: ScaleOptions, flavour: string, count: number): Promise<Cardinalities> {
  const maxRuntimes = countOf('--max', options.max);
  const launch = localLaunch(options, flavour);
  const scaler = new FleetScaler(localFleet({ processes: localProcesses(options), launch, maxRuntimes }));
  const initial = await scaler.countOf(flavour);
  await scaler.scaleTo(flavour, count, { timeoutMs: scaleEachMs * (1 + Math.abs(count - initial)) });
  return { initial, final: await scaler.countOf(flavour) };
}

const startedAt = ({ startedAtMs }: RuntimeProcess): string => new Date(startedAtMs).toISOString();

const toView = (one: RuntimeProcess) => ({
  id: one.id,
  flavour: one.flavour,
  state: one.state,
  reason: one.reason ?? null,
  pid: one.pid,
  running: one.running,
  runtime_id: one.runtimeId ?? null,
  started_at: startedAt(one),
  log_file: one.logFile,
});
