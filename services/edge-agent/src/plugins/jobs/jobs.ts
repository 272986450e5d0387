/**
 * The jobs of a node: what callers ask for, and what executors see, put in order.
 *
 * I1. A job is on the disk before it is handed to its executor, and before the caller hears of it. One that was being
 *     handed over when the agent ended is looked for at the executor, never handed over twice.
 * I2. An event leaves once it is on the disk, and in order; what may have left before a crash leaves again under the
 *     same id, which the spool takes once.
 * I3. A job that is to be canceled is CANCELED when its executor no longer sees it run; until then it is asked again
 *     with every look.
 * I4. One look at a time per executor; while nothing is open, none.
 *
 * Longer than most files, because every way in which a job changes stands in one place.
 */
import { type JobEvent, type JobExecutorName, type JobSpec, listIndices } from '@gantry/contracts';
import { AppError, type Clock, hasCode, type Logger, messageOf, newId, withDeadline } from '@gantry/kernel';
import type { PluginEvents } from '../../core/ports.js';
import { resolveDependencies } from './dependencies.js';
import type { JobExecutor } from './executor.js';
import { isOpen, type Job } from './job.js';
import type { JobStore } from './job-store.js';
import { LookTimer } from './look-timer.js';
import { planEvents, type Sighting } from './plan-events.js';

interface JobsLimits {
  readonly maxOpenJobs: number;
  readonly maxOpenJobsPerUser: number;
  readonly maxEndedJobs: number;
  readonly endedJobDays: number;
}

export interface JobsDeps {
  readonly store: JobStore;
  readonly executors: readonly JobExecutor[];
  readonly limits: JobsLimits;
  readonly events: PluginEvents;
  /** What goes out for an event, beside the event itself. */
  readonly describe: (job: Job, event: JobEvent) => Promise<Record<string, unknown>>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Submission {
  readonly owner: string;
  readonly session: string | null;
  readonly executor: JobExecutorName;
  readonly spec: JobSpec;
  readonly submissionKey: string | null;
}

const jobTopic = 'job_status';
/** A submission whose answer was lost is looked for this long. */
const recoverMs = 120_000;
const sweepMs = 600_000;
/** How long a wish to end a job waits for news of it. */
const lookBeforeMs = 5000;

export class Jobs {
  readonly #deps: JobsDeps;
  readonly #timers: ReadonlyMap<string, LookTimer>;
  readonly #submitting = new Set<string>();
  /** By owner and key: submissions under way, so that the same one sent twice at once is still one job. */
  readonly #submissions = new Map<string, Promise<Job>>();
  /** Per job: what it waits for to go out. */
  readonly #sending = new Map<string, Promise<void>>();
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #problems = new Map<string, string>();
  readonly #sweeper: NodeJS.Timeout;
  #isClosed = false;

  constructor(deps: JobsDeps) {
    this.#deps = deps;
    this.#timers = new Map(
      deps.executors.map((executor) => [
        executor.name,
        new LookTimer(executor.pollMs, () => this.#look(executor)),
      ]),
    );
    this.#sweeper = setInterval(() => void this.#sweep(), sweepMs);
    this.#sweeper.unref();
  }

  /** Takes up what an earlier run of the agent left behind. */
  async resume(): Promise<void> {
    await this.#sweep();
    for (const timer of this.#timers.values()) timer.soon();
  }

  /** What is wrong with an executor at present. */
  get problems(): readonly string[] {
    return [...this.#problems].map(([name, text]) => `${name}: ${text}`);
  }

  get executors(): readonly JobExecutor[] {
    return this.#deps.executors;
  }

  lookSoon(executor: JobExecutorName): void {
    this.#timers.get(executor)?.soon();
  }

  /** @throws {AppError} job-not-found */
  get(id: string): Job {
    const job = this.#deps.store.get(id);
    if (job === undefined) throw new AppError('job-not-found', `There is no job ${id.slice(0, 64)} here`);
    return job;
  }

  all(): readonly Job[] {
    return this.#deps.store.all();
  }

  /**
   * @throws {AppError} invalid-request with what the executor cannot do, scheduler-refused, too-many-concurrent,
   * scheduler-unavailable
   */
  async submit(submission: Submission): Promise<Job> {
    if (submission.submissionKey === null) return this.#submit(submission);
    const known = this.#findSubmission(submission);
    if (known !== undefined) return known;
    const key = JSON.stringify([submission.owner, submission.submissionKey]);
    const running = this.#submissions.get(key) ?? this.#submit(submission);
    this.#submissions.set(key, running);
    try {
      return await running;
    } finally {
      this.#submissions.delete(key);
    }
  }

  async #submit(submission: Submission): Promise<Job> {
    const { store, clock } = this.#deps;
    const executor = this.#executor(submission.executor);
    const errors = executor.findUnsupported(submission.spec);
    if (errors.length > 0)
      throw new AppError('invalid-request', errors.map(({ detail }) => detail).join('; '), { errors });
    const spec = resolveDependencies(submission, (id) => store.get(id));
    this.#demandRoom(submission);
    const id = newId();
    // Both before the first wait, so that nothing else takes the place or looks for the job meanwhile.
    this.#submitting.add(id);
    try {
      const job = await store.add({ ...submission, spec, id, submittedAtMs: clock.now() });
      await this.#handOver(executor, job);
      return job;
    } finally {
      this.#submitting.delete(id);
      this.#timers.get(executor.name)?.soon();
      const { maxEndedJobs, maxOpenJobs } = this.#deps.limits;
      if (this.all().length > 1.2 * maxEndedJobs + maxOpenJobs) void this.#sweep();
    }
  }

  /**
   * Ends a job; resolves when it has ended, or with a job that is still open when that took longer than `withinMs`.
   * @throws {AppError} job-finished when it had ended by itself
   */
  async cancel(job: Job, withinMs: number, signal: AbortSignal): Promise<Job> {
    if (job.state === 'CANCELED') return job;
    // It may have ended since the last look; a scheduler that hangs does not keep the wish from being written down.
    const look = this.#timers.get(job.executor)?.now() ?? Promise.resolve();
    if (isOpen(job)) await withDeadline(look, lookBeforeMs, 'a look at the job').catch(() => undefined);
    if (!isOpen(job) && job.cancelAskedAtMs === null)
      throw new AppError('job-finished', `The job has ended already: ${job.state}`);
    if (job.cancelAskedAtMs === null)
      await this.#deps.store.append(job, [{ kind: 'cancel', atMs: this.#deps.clock.now() }]);
    await this.untilChanged(job, (seen) => !isOpen(seen), withinMs, signal);
    return job;
  }

  /** @throws {AppError} job-not-waiting, scheduler-refused, scheduler-unavailable */
  async setHeld(job: Job, isHeld: boolean): Promise<void> {
    await this.#timers.get(job.executor)?.now();
    const isWaiting = job.tasks.some(({ state }) => state === 'NEW' || state === 'QUEUED');
    if (!isWaiting || job.nativeId === null)
      throw new AppError('job-not-waiting', `The job does not wait: ${job.state}`);
    const executor = this.#executor(job.executor);
    // A job of our own queue is started by the next look; it must not be between the two steps.
    if (isHeld) await this.#deps.store.append(job, [{ kind: 'held', isHeld }]);
    try {
      await (isHeld ? executor.hold(job) : executor.release(job));
    } catch (error) {
      if (isHeld) await this.#deps.store.append(job, [{ kind: 'held', isHeld: false }]);
      throw error;
    }
    if (!isHeld) await this.#deps.store.append(job, [{ kind: 'held', isHeld }]);
    this.#timers.get(job.executor)?.soon();
  }

  /** @throws {AppError} job-not-finished */
  async remove(job: Job): Promise<void> {
    if (isOpen(job)) throw new AppError('job-not-finished', `The job has not ended: ${job.state}`);
    await this.#deps.store.remove(job);
  }

  /** Resolves when `isDone` says so, the time is over, or the signal aborts; looks often meanwhile. */
  async untilChanged(
    job: Job,
    isDone: (job: Job) => boolean,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const timer = this.#timers.get(job.executor);
    const endMs = performance.now() + withinMs;
    for (let pauseMs = 100; !isDone(job); pauseMs = Math.min(pauseMs * 1.5, 1000)) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0 || signal.aborted || this.#isClosed) return;
      await timer?.now();
      if (isDone(job)) return;
      await this.nextChange(job, Math.min(pauseMs, leftMs), signal);
    }
  }

  /** Resolves at the next event of the job, after `withinMs`, or when the signal aborts. */
  async nextChange(job: Job, withinMs: number, signal: AbortSignal): Promise<void> {
    const watchers = this.#watchers.get(job.id) ?? new Set();
    this.#watchers.set(job.id, watchers);
    await new Promise<void>((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', finish);
        watchers.delete(finish);
        if (watchers.size === 0 && this.#watchers.get(job.id) === watchers) this.#watchers.delete(job.id);
        resolve();
      };
      const timer = setTimeout(finish, withinMs);
      watchers.add(finish);
      signal.addEventListener('abort', finish, { once: true });
      if (signal.aborted) finish();
    });
  }

  /** The events of a job after `seq`. */
  async eventsAfter(job: Job, seq: number): Promise<readonly JobEvent[]> {
    const lines = await this.#deps.store.readLines(job.id);
    return lines.flatMap((line) => (line.kind === 'event' && line.event.seq > seq ? [line.event] : []));
  }

  /** Jobs go on without the agent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    await Promise.all([...this.#timers.values()].map((timer) => timer.stop()));
    for (const executor of this.#deps.executors) executor.close();
    for (const watchers of this.#watchers.values()) for (const wake of [...watchers]) wake();
    await Promise.allSettled([...this.#sending.values()]);
    await this.#deps.store.settle();
  }

  #executor(name: string): JobExecutor {
    const executor = this.#deps.executors.find((candidate) => candidate.name === name);
    if (executor !== undefined) return executor;
    const names = this.#deps.executors.map((candidate) => candidate.name).join(', ');
    const detail = `This node has no executor "${name.slice(0, 64)}"; it has: ${names}`;
    throw new AppError('invalid-request', detail, { errors: [{ pointer: '/body/executor', detail }] });
  }

  #findSubmission({ owner, submissionKey }: Submission): Job | undefined {
    if (submissionKey === null) return undefined;
    return this.all().find((job) => job.owner === owner && job.submissionKey === submissionKey);
  }

  #demandRoom({ owner, spec }: Submission): void {
    const { maxOpenJobs, maxOpenJobsPerUser } = this.#deps.limits;
    const open = this.all().filter(isOpen);
    const elements = spec.array === undefined ? 0 : listIndices(spec.array.indices).length;
    const openElements = open.reduce(
      (sum, job) => sum + (job.spec.array === undefined ? 0 : job.tasks.length),
      0,
    );
    if (open.length + this.#submitting.size >= maxOpenJobs || openElements + elements > 10 * maxOpenJobs)
      throw new AppError('too-many-concurrent', `The node has ${open.length} open jobs; more are not taken`);
    if (open.filter((job) => job.owner === owner).length >= maxOpenJobsPerUser)
      throw new AppError(
        'too-many-concurrent',
        `You have ${maxOpenJobsPerUser} open jobs here; wait for some`,
      );
  }

  /** I1 */
  async #handOver(executor: JobExecutor, job: Job): Promise<void> {
    const { store, logger } = this.#deps;
    try {
      const nativeId = await executor.submit(job);
      this.#record(job, [{ index: null, state: 'QUEUED', exitCode: null, message: null, hasRun: false }], {
        nativeId,
      });
    } catch (error) {
      const isCertain = ['scheduler-refused', 'scheduler-unavailable', 'invalid-request'] as const;
      if (!isCertain.some((code) => hasCode(error, code))) {
        logger.warn('it is not known whether a job was handed over', { job_id: job.id, error });
        return;
      }
      // It was certainly not taken, and the caller hears of it right now: nothing is kept.
      await store.remove(job);
      throw error;
    }
  }

  async #look(executor: JobExecutor): Promise<boolean> {
    const open = this.all().filter(
      (job) => job.executor === executor.name && isOpen(job) && !this.#submitting.has(job.id),
    );
    if (open.length === 0 || this.#isClosed) return false;
    try {
      for (const job of open) if (job.nativeId === null) await this.#recover(executor, job);
      const known = open.filter((job) => job.nativeId !== null && isOpen(job));
      const refusal = await this.#cancelAsked(executor, known);
      const seen = await executor.look(known);
      for (const job of known) this.#record(job, seen.get(job.id) ?? []);
      if (refusal === undefined) this.#problems.delete(executor.name);
      else this.#note(executor, 'a job cannot be canceled', refusal);
    } catch (error) {
      this.#note(executor, 'an executor cannot be asked', error);
    }
    return true;
  }

  /** I3. One that cannot be canceled does not keep the others from being looked at: answers what was said of it. */
  async #cancelAsked(executor: JobExecutor, jobs: readonly Job[]): Promise<unknown> {
    let refusal: unknown;
    for (const job of jobs) {
      if (job.cancelAskedAtMs === null) continue;
      try {
        await executor.cancel(job);
      } catch (error) {
        if (!hasCode(error, 'scheduler-refused')) throw error;
        refusal ??= error;
      }
    }
    return refusal;
  }

  #note({ name }: JobExecutor, text: string, error: unknown): void {
    if (!this.#problems.has(name)) this.#deps.logger.warn(text, { executor: name, error });
    this.#problems.set(name, messageOf(error).slice(0, 300));
  }

  async #recover(executor: JobExecutor, job: Job): Promise<void> {
    const nativeId = await executor.recover(job);
    if (nativeId !== undefined) {
      const queued = { index: null, state: 'QUEUED', exitCode: null, message: null, hasRun: false } as const;
      this.#record(job, [queued], { nativeId });
      return;
    }
    const isWaitedFor = this.#deps.clock.now() < job.submittedAtMs + recoverMs;
    if (isWaitedFor && job.cancelAskedAtMs === null) return;
    if (isWaitedFor && executor.name !== 'local') return;
    const state = job.cancelAskedAtMs === null ? 'FAILED' : 'CANCELED';
    const message = 'The agent or the scheduler stopped before the job was handed over';
    this.#record(
      job,
      job.tasks.map(({ index }) => ({ index, state, exitCode: null, message, hasRun: false })),
    );
  }

  /** I2 */
  #record(job: Job, sightings: readonly Sighting[], extra: { nativeId?: string } = {}): void {
    const { store, clock } = this.#deps;
    const all = sightings.flatMap((sighting) =>
      sighting.index === null ? job.tasks.map(({ index }) => ({ ...sighting, index })) : [sighting],
    );
    const events = planEvents(job, all, clock.now());
    if (all.length > 0) job.waitingFor = all.find(({ state }) => state === 'QUEUED')?.message ?? null;
    const lines = [
      ...(extra.nativeId === undefined ? [] : [{ kind: 'native', id: extra.nativeId } as const]),
      ...events.map((event) => ({ kind: 'event', event }) as const),
    ];
    if (lines.length === 0) return;
    const written = store.append(job, lines);
    written.catch((error: unknown) =>
      this.#deps.logger.error('what happened to a job cannot be written', { job_id: job.id, error }),
    );
    if (events.length > 0) this.#send(job, events, written);
    for (const wake of [...(this.#watchers.get(job.id) ?? [])]) wake();
  }

  /** I2 */
  #send(job: Job, events: readonly JobEvent[], written: Promise<void>): void {
    const { store, describe, events: spool, logger } = this.#deps;
    const before = this.#sending.get(job.id) ?? Promise.resolve();
    const turn = before.then(async () => {
      try {
        await written;
        const [first] = events;
        // After a failure, what did not leave then leaves first.
        const isNext = first?.seq === job.sentSeq + 1;
        const due = isNext ? events : await this.eventsAfter(job, job.sentSeq);
        for (const event of due) {
          const data = { ...event, ...(await describe(job, event)) };
          spool.emit(jobTopic, data, { audience: job.owner, id: `${job.id}.${event.seq}` });
        }
        await spool.flush();
        const last = due.at(-1)?.seq;
        if (last === undefined) return;
        if (store.get(job.id) === job) await store.append(job, [{ kind: 'sent', seq: last }]);
      } catch (error) {
        logger.error('events of a job cannot be handed on yet', { job_id: job.id, error });
      }
    });
    this.#sending.set(job.id, turn);
    void turn.then(() => {
      if (this.#sending.get(job.id) === turn) this.#sending.delete(job.id);
    });
  }

  async #sweep(): Promise<void> {
    const { store, limits, clock, logger } = this.#deps;
    // I2: what was not handed on, before a restart or because of the disk.
    for (const job of store.all())
      if (job.seq > job.sentSeq && !this.#sending.has(job.id)) this.#send(job, [], store.append(job, []));
    const maxAgeMs = limits.endedJobDays * 86_400_000;
    await store
      .sweep({ maxEndedJobs: limits.maxEndedJobs, maxAgeMs }, clock.now())
      .catch((error: unknown) => logger.warn('old jobs cannot be removed', { error }));
  }
}
