/**
 * Jobs as processes of this machine, with a queue of our own: hold, dependencies, and how many run at a time.
 *
 * I1. What a task is doing stands in its files and in /proc, never only in memory: a restarted agent sees the same.
 * I2. A task that is to end has ended when its wrapper is gone and no process that carries its mark is left.
 * I3. What a task leaves running when its program ends is ended with it.
 */
import { type Clock, type Logger, messageOf } from '@gantry/kernel';
import { judge } from '../../dependencies.js';
import type { JobExecutor } from '../../executor.js';
import type { Job } from '../../job.js';
import type { Sighting } from '../../plan-events.js';
import { findProcesses, isAlive, type ProcessIdentity, signalAll } from './process-table.js';
import { markOf, startTask } from './start-task.js';
import { giveUp, noteReason, readPhase, readReason } from './task-files.js';
import { findUnsupportedLocally, thisMachine } from './unsupported.js';

export interface LocalExecutorDeps {
  readonly folderOf: (jobId: string) => string;
  readonly find: (jobId: string) => Job | undefined;
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly maxRunning: number;
  readonly killGraceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something ended: time to look. */
  readonly onChange: () => void;
}

/** A wrapper that made its file and wrote nothing for so long is gone. */
const beginningMs = 10_000;
const pollMs = 1000;

export class LocalExecutor implements JobExecutor {
  readonly name = 'local';
  readonly pollMs = pollMs;
  readonly #deps: LocalExecutorDeps;
  /** Starts that are under way. */
  readonly #starting = new Set<string>();
  /** Tasks that this agent saw waiting: only the agent itself starts them, so their files need no second look. */
  readonly #waiting = new Set<string>();
  /** When a task was first asked to end, and which of its processes were told. */
  readonly #asked = new Map<string, { readonly atMs: number; readonly told: Set<number> }>();

  constructor(deps: LocalExecutorDeps) {
    this.#deps = deps;
  }

  findUnsupported(spec: Job['spec']) {
    return findUnsupportedLocally(spec, thisMachine());
  }

  /** The queue is the list of jobs itself. */
  async submit(job: Job): Promise<string> {
    return job.id;
  }

  async recover(job: Job): Promise<string> {
    return job.id;
  }

  async cancel(): Promise<void> {
    // Done with every look (I2).
  }

  async hold(): Promise<void> {
    // `isHeld` is what the queue looks at.
  }

  async release(): Promise<void> {
    // See hold().
  }

  async look(jobs: readonly Job[]): Promise<ReadonlyMap<string, readonly Sighting[]>> {
    const seen = new Map<string, Sighting[]>();
    const startable: { job: Job; index: number | null }[] = [];
    let running = 0;
    for (const job of jobs) {
      const sightings: Sighting[] = [];
      for (const { index, state } of job.tasks) {
        if (state === 'COMPLETED' || state === 'FAILED' || state === 'CANCELED') continue;
        const found = this.#lookAt(job, index);
        if (found === 'startable') startable.push({ job, index });
        else sightings.push(found);
        if (found !== 'startable' && found.state === 'ACTIVE') running += 1;
      }
      seen.set(job.id, sightings);
    }
    const runningOf = new Map([...seen].map(([id, sightings]) => [id, countActive(sightings)]));
    for (const { job, index } of startable) {
      const ofJob = runningOf.get(job.id) ?? 0;
      const mayStart = ofJob < (job.spec.array?.max_running ?? Number.POSITIVE_INFINITY);
      if (running >= this.#deps.maxRunning || !mayStart) {
        seen.get(job.id)?.push(sighting(index, 'QUEUED', null, 'It waits for others to end', false));
        continue;
      }
      seen.get(job.id)?.push(await this.#start(job, index));
      runningOf.set(job.id, ofJob + 1);
      running += 1;
    }
    return seen;
  }

  close(): void {
    this.#asked.clear();
    this.#waiting.clear();
  }

  #lookAt(job: Job, index: number | null): Sighting | 'startable' {
    const folder = this.#deps.folderOf(job.id);
    const isWaiting = this.#waiting.has(keyOf(job, index));
    const phase = isWaiting ? ({ kind: 'waiting' } as const) : readPhase(folder, index);
    switch (phase.kind) {
      case 'waiting':
        return this.#lookAtWaiting(job, index, folder);
      case 'given-up':
        return sighting(
          index,
          phase.state,
          null,
          readReason(folder, index) ?? 'Canceled before it began',
          false,
        );
      case 'beginning':
        if (this.#deps.clock.now() - phase.sinceMs < beginningMs)
          return sighting(index, 'ACTIVE', null, null, true);
        return sighting(index, 'FAILED', null, 'It was killed while it began', false);
      case 'begun':
        return this.#lookAtBegun(job, index, folder, phase.process, phase.atMs);
      case 'ended':
        return this.#settle(job, index, folder, phase.exitCode);
    }
  }

  #lookAtWaiting(job: Job, index: number | null, folder: string): Sighting | 'startable' {
    const key = keyOf(job, index);
    // Its wrapper is on its way; the place is taken already.
    if (this.#starting.has(key)) return sighting(index, 'ACTIVE', null, null, true);
    this.#waiting.add(key);
    const verdicts = job.spec.dependencies.map(({ condition, job_id }) =>
      judge(condition, this.#deps.find(job_id)),
    );
    const isHopeless = verdicts.includes('never');
    if (job.cancelAskedAtMs !== null || isHopeless) {
      this.#waiting.delete(key);
      if (isHopeless) noteReason(folder, index, 'A job that it depends on ended otherwise');
      giveUp(folder, index, 'CANCELED');
      // Either way its file says now what became of it.
      return this.#lookAt(job, index);
    }
    if (job.isHeld) return sighting(index, 'QUEUED', null, 'It is held', false);
    if (verdicts.includes('waiting'))
      return sighting(index, 'QUEUED', null, 'It waits for a job that it depends on', false);
    return 'startable';
  }

  async #start(job: Job, index: number | null): Promise<Sighting> {
    const { folderOf, home, environment, onChange, logger } = this.#deps;
    const key = keyOf(job, index);
    this.#starting.add(key);
    this.#waiting.delete(key);
    try {
      const child = await startTask(job, index, { folder: folderOf(job.id), home, environment });
      child.once('exit', (code) => {
        this.#starting.delete(key);
        // The wrapper could not say that it begins: it is not tried for ever.
        if (readPhase(folderOf(job.id), index).kind === 'waiting')
          this.#fail(job, index, `It could not be started (${code})`);
        onChange();
      });
      return sighting(index, 'ACTIVE', null, null, true);
    } catch (error) {
      this.#starting.delete(key);
      logger.info('a job cannot be started', { job_id: job.id, error });
      this.#fail(job, index, messageOf(error));
      return sighting(index, 'FAILED', null, messageOf(error), false);
    }
  }

  #fail(job: Job, index: number | null, reason: string): void {
    const folder = this.#deps.folderOf(job.id);
    try {
      noteReason(folder, index, reason);
      giveUp(folder, index, 'FAILED');
    } catch (error) {
      this.#deps.logger.error('the end of a job cannot be written', { job_id: job.id, error });
    }
  }

  #lookAtBegun(
    job: Job,
    index: number | null,
    folder: string,
    process: ProcessIdentity,
    startedAtMs: number,
  ): Sighting {
    const { duration } = job.spec;
    this.#starting.delete(keyOf(job, index));
    if (!isAlive(process)) {
      // It may have written its last word between the two looks.
      const again = readPhase(folder, index);
      return this.#settle(job, index, folder, again.kind === 'ended' ? again.exitCode : null);
    }
    if (duration !== undefined && this.#deps.clock.now() - startedAtMs >= duration * 1000)
      noteReason(folder, index, `It reached its time limit of ${duration} s`);
    if (job.cancelAskedAtMs !== null || readReason(folder, index) !== undefined)
      this.#end(job, index, process.pid);
    return sighting(index, 'ACTIVE', null, null, true);
  }

  /** Signals everything of a task: politely at first. */
  #end(job: Job, index: number | null, group: number | undefined): boolean {
    const key = keyOf(job, index);
    const nowMs = this.#deps.clock.monotonicMs();
    const { atMs, told } = this.#asked.get(key) ?? { atMs: nowMs, told: new Set() };
    this.#asked.set(key, { atMs, told });
    const pids = findProcesses(markOf(job.id, index), group);
    // Each is told once: a wrapper that was about to start the program passes the first signal over.
    const untold = pids.filter((pid) => !told.has(pid));
    for (const pid of untold) told.add(pid);
    if (nowMs - atMs >= this.#deps.killGraceMs) signalAll(pids, 'SIGKILL');
    else signalAll(untold, 'SIGTERM');
    return pids.length > 0;
  }

  /** I2, I3: the program has ended; so must what it left. */
  #settle(job: Job, index: number | null, folder: string, exitCode: number | null): Sighting {
    this.#starting.delete(keyOf(job, index));
    if (this.#end(job, index, undefined)) return sighting(index, 'ACTIVE', null, null, true);
    this.#asked.delete(keyOf(job, index));
    const reason = readReason(folder, index);
    if (reason !== undefined) return sighting(index, 'FAILED', exitCode, reason, true);
    if (job.cancelAskedAtMs !== null) return sighting(index, 'CANCELED', exitCode, null, true);
    if (exitCode === null)
      return sighting(index, 'FAILED', null, 'It was killed, and left no exit code', true);
    return sighting(index, exitCode === 0 ? 'COMPLETED' : 'FAILED', exitCode, describeExit(exitCode), true);
  }
}

const keyOf = (job: Job, index: number | null): string => `${job.id}/${index ?? ''}`;

const countActive = (sightings: readonly Sighting[]): number =>
  sightings.filter(({ state }) => state === 'ACTIVE').length;

const sighting = (
  index: number | null,
  state: Sighting['state'],
  exitCode: number | null,
  message: string | null,
  hasRun: boolean,
): Sighting => ({ index, state, exitCode, message, hasRun });

/** What a shell says of programs that it cannot run, and of signals. */
function describeExit(exitCode: number): string | null {
  if (exitCode === 127) return 'The executable was not found (127)';
  if (exitCode === 126) return 'The executable cannot be executed (126)';
  if (exitCode > 128 && exitCode < 193) return `It was ended by signal ${exitCode - 128}`;
  return null;
}
