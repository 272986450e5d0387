/** I1 and I2 of jobs.ts: the agent is gone after every single step of its work, and a new one goes on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobSpecSchema } from '@gantry/contracts';
import { silentLogger, systemClock } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PluginEvents } from '../../core/ports.js';
import type { JobExecutor } from './executor.js';
import type { Job } from './job.js';
import { JobStore } from './job-store.js';
import { Jobs } from './jobs.js';
import type { Sighting } from './plan-events.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-jobs-crash-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What outlives an agent: the scheduler, and the spool with its memory of ids. */
class Outside {
  readonly submitted: string[] = [];
  readonly spooled: { readonly id: string; readonly data: Record<string, unknown> }[] = [];
  #looks = 0;

  /** The job goes on by itself: waiting, running, ended, with one step for each look. */
  sight(): Sighting {
    this.#looks += 1;
    const state = this.#looks === 1 ? 'QUEUED' : this.#looks === 2 ? 'ACTIVE' : 'FAILED';
    const exitCode = state === 'FAILED' ? 7 : null;
    return { index: null, state, exitCode, message: null, hasRun: state !== 'QUEUED' };
  }

  take(id: string, data: Record<string, unknown>): void {
    if (!this.spooled.some((one) => one.id === id)) this.spooled.push({ id, data });
  }
}

/** Ends after `steps` steps: nothing of what it does from then on happens. */
class Agent {
  readonly #outside: Outside;
  readonly #laterMs: number;
  #left: number;
  readonly #gone = new Promise<never>(() => undefined);
  hasDied = false;

  constructor(outside: Outside, steps: number, laterMs = 0) {
    this.#outside = outside;
    this.#laterMs = laterMs;
    this.#left = steps;
  }

  async start(): Promise<Jobs> {
    const store = await JobStore.open(folder, silentLogger);
    const append = store.append.bind(store);
    // The job changes in memory at once, as it does; what is not written is lost.
    store.append = (job, lines) => this.#step(() => append(job, lines));
    return new Jobs({
      store,
      executors: [this.#executor()],
      limits: { maxOpenJobs: 10, maxOpenJobsPerUser: 10, maxEndedJobs: 10, endedJobDays: 1 },
      events: this.#events(),
      describe: async () => ({}),
      // Later than anything could still come of a submission that was cut off.
      clock: { ...systemClock, now: () => Date.now() + this.#laterMs },
      logger: silentLogger,
    });
  }

  /** A step that is done, and the agent gone right behind it, is another case than one that is not done. */
  #step<T>(work: () => Promise<T>): Promise<T> {
    this.#left -= 1;
    if (this.#left < 0) this.hasDied = true;
    if (this.hasDied) return this.#gone;
    return work();
  }

  #events(): PluginEvents {
    return {
      emit: (_topic, data, options) => {
        this.#left -= 1;
        if (this.#left < 0) this.hasDied = true;
        if (!this.hasDied) this.#outside.take(options?.id ?? '', data as Record<string, unknown>);
      },
      flush: () => this.#step(async () => undefined),
    };
  }

  #executor(): JobExecutor {
    const outside = this.#outside;
    return {
      name: 'slurm',
      pollMs: 1,
      findUnsupported: () => [],
      submit: (job: Job) =>
        this.#step(async () => {
          outside.submitted.push(job.id);
          return 'native';
        }),
      recover: (job: Job) =>
        this.#step(async () => (outside.submitted.includes(job.id) ? 'native' : undefined)),
      look: (jobs) => this.#step(async () => new Map(jobs.map((job) => [job.id, [outside.sight()]]))),
      ...{ cancel: async () => undefined, hold: async () => undefined, release: async () => undefined },
      close: () => undefined,
    };
  }
}

async function until(isDone: () => boolean): Promise<void> {
  for (const endMs = performance.now() + 20_000; !isDone(); ) {
    if (performance.now() > endMs) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const isEnd = ({ data }: Outside['spooled'][number]) => data['state'] === 'FAILED';
const submission = {
  owner: 'ada',
  session: null,
  executor: 'slurm',
  spec: jobSpecSchema.parse({ executable: '/bin/true' }),
  submissionKey: 'once',
} as const;

describe('an agent that is killed', () => {
  // Enough for every step of a whole life: the last ones are never reached, and nothing is killed.
  it.each(Array.from({ length: 16 }, (_, steps) => steps))(
    'after %i steps loses no event of a job, repeats none and submits none twice',
    async (steps) => {
      const outside = new Outside();
      const doomed = new Agent(outside, steps);
      const first = await doomed.start();
      first.submit(submission).catch(() => undefined);
      await until(() => doomed.hasDied || outside.spooled.some(isEnd));
      // Nothing of it is closed: a killed process closes nothing.
      const next = await new Agent(outside, Number.POSITIVE_INFINITY, 180_000).start();
      await next.resume();
      // The caller never got an answer, and asks again under the same key.
      const job = await next.submit(submission);
      await until(() => outside.spooled.some(isEnd) && job.sentSeq === job.seq && job.endedAtMs !== null);
      const events = outside.spooled.map(({ data }) => [data['job_id'], data['seq'], data['state']]);
      // Gone before the job was handed over, it never runs; that is all there is to say.
      const states = steps === 0 ? ['FAILED'] : ['QUEUED', 'ACTIVE', 'FAILED'];
      expect(events).toEqual(states.map((state, at) => [job.id, at + 1, state]));
      expect(outside.submitted).toEqual(steps === 0 ? [] : [job.id]);
      await next.close();
    },
  );
});
