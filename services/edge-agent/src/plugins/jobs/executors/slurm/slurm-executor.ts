/**
 * Jobs of Slurm, through its own programs.
 *
 * I1. A job is known by the path of its script, which holds its id: that is how it is found again when the answer of
 *     sbatch was lost.
 * I2. What Slurm says counts. What it has forgotten is asked of its accounting, then of the file in which the script
 *     wrote its exit code; only then is the job failed.
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { AppError, hasCode, type Logger } from '@gantry/kernel';
import { replaceFile } from '../../../../core/state-folder.js';
import type { SlurmCommands } from '../../../../slurm/slurm-commands.js';
import type { JobExecutor } from '../../executor.js';
import type { Job } from '../../job.js';
import { outputPathOf, taskFile } from '../../job-folder.js';
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

export class SlurmExecutor implements JobExecutor {
  readonly name = 'slurm';
  readonly pollMs: number;
  readonly #deps: SlurmExecutorDeps;
  #hasAccounting = true;

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
    return line?.split('|')[0]?.trim();
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
    for (const job of missing) seen.set(job.id, accounted.get(job.nativeId ?? '') ?? this.#readEnd(job));
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
    if (jobs.length === 0 || !this.#hasAccounting || !this.#deps.commands.has('sacct')) return new Map();
    try {
      const ids = jobs.map(({ nativeId }) => nativeId ?? '');
      return parseSacct(await this.#deps.commands.run('sacct', sacctArguments(ids)));
    } catch (error) {
      if (!hasCode(error, 'scheduler-refused')) throw error;
      // A site without accounting says so once; it does not come by itself.
      this.#hasAccounting = false;
      this.#deps.logger.info('Slurm keeps no accounts here', { error });
      return new Map();
    }
  }

  /** I2 */
  #readEnd(job: Job): readonly Sighting[] {
    const folder = this.#deps.folderOf(job.id);
    return job.tasks.map(({ index }) => {
      const text = readText(taskFile(folder, 'exit', index));
      const exitCode = /^\d{1,3}\n$/.test(text) ? Number(text) : null;
      if (exitCode === null) {
        const state = job.cancelAskedAtMs === null ? 'FAILED' : 'CANCELED';
        const message = 'Slurm has forgotten the job, and it left no exit code';
        return { index, state, exitCode, message, hasRun: false };
      }
      return { index, state: exitCode === 0 ? 'COMPLETED' : 'FAILED', exitCode, message: null, hasRun: true };
    });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
