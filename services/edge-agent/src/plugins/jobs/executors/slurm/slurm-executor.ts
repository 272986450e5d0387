/**
 * Jobs of Slurm, through its own programs.
 *
 * I1. A job is known by the path of its script, which holds its id: that is how it is found again when the answer of
 *     sbatch was lost. When Slurm has forgotten it too, the file counts in which the script wrote what it is called.
 * I2. What Slurm says counts. What it has forgotten is asked of its accounting, then of the file in which the script
 *     wrote its exit code; only then is the job failed, and not while the accounting may still hear of it, or is away.
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { AppError, hasCode, type Logger } from '@gantry/kernel';
import { replaceFile } from '../../../../core/state-folder.js';
import type { SlurmCommands } from '../../../../slurm/slurm-commands.js';
import type { JobExecutor } from '../../executor.js';
import type { Job } from '../../job.js';
import { outputPathOf, taskFile } from '../../job-folder.js';
import { makeOutputFolders } from '../../output-folders.js';
import type { Sighting } from '../../plan-events.js';
import { buildBatchScript } from './batch-script.js';
import {
  parseSacct,
  parseSqueue,
  type SightingsByNative,
  sacctArguments,
  squeueArguments,
} from './read-states.js';
import { buildSbatchArguments, findUnsupportedBySlurm, type SbatchPaths } from './sbatch-options.js';

export interface SlurmExecutorDeps {
  readonly commands: SlurmCommands;
  readonly folderOf: (jobId: string) => string;
  readonly find: (jobId: string) => Job | undefined;
  readonly home: string;
  readonly pollMs: number;
  readonly logger: Logger;
}

const scriptName = 'script.sh';
/** What is being ended, or has ended, cannot be cancelled: which is what was wanted. */
const isOverAlready = /Invalid job id|already completing|already finished|already completed/i;

/** What sacct says while slurmdbd is away, starts or ends. */
const isDatabaseAway = /database|slurmdbd|persist|connection|DBD_/i;
/** The accounting hears of jobs a while after they happen, and later still when it was away. */
const accountedWithinMs = 120_000;

export class SlurmExecutor implements JobExecutor {
  readonly name = 'slurm';
  readonly pollMs: number;
  readonly #deps: SlurmExecutorDeps;
  /** Only one that is away is waited for. */
  #accounting: 'there' | 'away' | 'refuses' | 'none' = 'there';
  /** By job: since when neither Slurm nor its accounting knows it. */
  #missingSinceMs = new Map<string, number>();

  constructor(deps: SlurmExecutorDeps) {
    this.#deps = deps;
    this.pollMs = deps.pollMs;
  }

  findUnsupported(spec: Job['spec']) {
    return findUnsupportedBySlurm(spec);
  }

  async submit(job: Job): Promise<string> {
    const folder = this.#deps.folderOf(job.id);
    const paths = this.#pathsOf(job, folder);
    // A folder that only the compute nodes see is theirs to make.
    const indices = job.tasks.map(({ index }) => index);
    await makeOutputFolders(job.spec, indices, folder, paths.directory).catch(() => undefined);
    await replaceFile(paths.script, buildBatchScript(job, folder));
    const args = buildSbatchArguments(job.spec, paths, (id) => this.#nativeIdOf(id));
    const printed = await this.#deps.commands.run('sbatch', args);
    // `12;cluster` on some sites; warnings go to the other stream.
    const [, native] = /^(\d+)(?:;|$)/m.exec(printed) ?? [];
    if (native === undefined) throw new Error(`sbatch printed no job id: ${printed.slice(0, 200)}`);
    return native;
  }

  async recover(job: Job): Promise<string | undefined> {
    // I1
    const script = join(this.#deps.folderOf(job.id), scriptName);
    const args = ['--me', '--noheader', '--states=all', '--format=%F|%o'];
    const printed = await this.#deps.commands.run('squeue', args);
    const line = printed.split('\n').find((candidate) => candidate.trim().endsWith(`|${script}`));
    if (line !== undefined) return line.split('|')[0]?.trim();
    return /^(\d+)\n$/.exec(readText(taskFile(this.#deps.folderOf(job.id), 'native', null)))?.[1];
  }

  async look(jobs: readonly Job[]): Promise<ReadonlyMap<string, readonly Sighting[]>> {
    if (jobs.length === 0) return new Map();
    const queued = parseSqueue(await this.#deps.commands.run('squeue', squeueArguments));
    const seen = new Map<string, readonly Sighting[]>();
    const missing: Job[] = [];
    for (const job of jobs) {
      const sightings = queued.get(job.nativeId ?? '');
      if (sightings === undefined) missing.push(job);
      else seen.set(job.id, sightings);
    }
    const accounted = await this.#askAccounting(missing);
    const nowMs = performance.now();
    const before = this.#missingSinceMs;
    this.#missingSinceMs = new Map();
    for (const job of missing) {
      const told = accounted.get(job.nativeId ?? '');
      const sinceMs = before.get(job.id) ?? nowMs;
      if (told === undefined) this.#missingSinceMs.set(job.id, sinceMs);
      const mayBeTold =
        this.#accounting === 'away' ||
        (this.#accounting === 'there' &&
          nowMs - sinceMs < accountedWithinMs &&
          this.#deps.commands.has('sacct'));
      seen.set(job.id, told?.filter((one) => isOf(job, one)) ?? this.#readEnd(job, mayBeTold));
    }
    return seen;
  }

  async cancel(job: Job): Promise<void> {
    try {
      await this.#deps.commands.run('scancel', [job.nativeId ?? '']);
    } catch (error) {
      if (!hasCode(error, 'scheduler-refused') || !isOverAlready.test(error.message)) throw error;
    }
  }

  async hold(job: Job): Promise<void> {
    // By the user, also when the agent is the administrator: then the user can release it.
    await this.#deps.commands.run('scontrol', ['uhold', job.nativeId ?? '']);
  }

  async release(job: Job): Promise<void> {
    await this.#deps.commands.run('scontrol', ['release', job.nativeId ?? '']);
  }

  close(): void {
    // Nothing is kept open.
  }

  #nativeIdOf(jobId: string): string {
    const native = this.#deps.find(jobId)?.nativeId;
    if (native == null) throw new AppError('invalid-request', `The job ${jobId} is not known to Slurm`);
    return native;
  }

  #pathsOf(job: Job, folder: string): SbatchPaths {
    const { spec } = job;
    const directory = spec.directory ?? this.#deps.home;
    const input = spec.stdin_path;
    const output = (stream: 'stdout' | 'stderr') => {
      const isOwn = spec[`${stream}_path`] === undefined && spec.array !== undefined;
      return isOwn ? join(folder, `${stream}.{index}`) : outputPathOf(job, folder, stream, null, directory);
    };
    return {
      script: join(folder, scriptName),
      directory,
      stdin: input === undefined || isAbsolute(input) ? input : join(directory, input),
      stdout: output('stdout'),
      stderr: output('stderr'),
    };
  }

  async #askAccounting(jobs: readonly Job[]): Promise<SightingsByNative> {
    const { commands, logger } = this.#deps;
    if (jobs.length === 0 || this.#accounting === 'none' || !commands.has('sacct')) return new Map();
    try {
      const ids = jobs.map(({ nativeId }) => nativeId ?? '');
      const accounted = parseSacct(await commands.run('sacct', sacctArguments(ids)));
      this.#accounting = 'there';
      return accounted;
    } catch (error) {
      const before = this.#accounting;
      const isRefused = hasCode(error, 'scheduler-refused') && !isDatabaseAway.test(error.message);
      // A site without accounting says so once; it does not come by itself.
      if (isRefused && /accounting storage is disabled/i.test(error.message)) this.#accounting = 'none';
      else this.#accounting = isRefused ? 'refuses' : 'away';
      if (this.#accounting === 'none') logger.info('Slurm keeps no accounts here', { error });
      else if (before === 'there') logger.warn('the accounting of Slurm cannot be asked', { error });
      return new Map();
    }
  }

  /** I2 */
  #readEnd(job: Job, mayBeTold: boolean): readonly Sighting[] {
    const folder = this.#deps.folderOf(job.id);
    return job.tasks.flatMap(({ index }): readonly Sighting[] => {
      const text = readText(taskFile(folder, 'exit', index));
      const exitCode = /^\d{1,3}\n$/.test(text) ? Number(text) : null;
      if (exitCode !== null) {
        const state = exitCode === 0 ? 'COMPLETED' : 'FAILED';
        return [{ index, state, exitCode, message: null, hasRun: true }];
      }
      if (mayBeTold) return [];
      const state = job.cancelAskedAtMs === null ? 'FAILED' : 'CANCELED';
      const message = 'Slurm has forgotten the job, and it left no exit code';
      return [{ index, state, exitCode, message, hasRun: false }];
    });
  }
}

/** While the accounting writes down an array, it shows one of the elements under the name of the whole. */
const isOf = (job: Job, { index, state, hasRun }: Sighting): boolean =>
  index !== null || job.spec.array === undefined || (state === 'CANCELED' && !hasRun);

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
