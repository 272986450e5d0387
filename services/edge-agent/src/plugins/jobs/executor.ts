import type { JobExecutorName, JobSpec } from '@gantry/contracts';
import type { FieldError } from '@gantry/kernel';
import type { Job } from './job.js';
import type { Sighting } from './plan-events.js';

/** What runs jobs: processes of this machine, or a batch system. One contract suite is run on all of them. */
export interface JobExecutor {
  readonly name: JobExecutorName;
  /** Between two looks while jobs are open. */
  readonly pollMs: number;
  /** What the executor cannot do of a spec; pointers begin with `/body/spec`. Nothing is dropped silently. */
  findUnsupported(spec: JobSpec): readonly FieldError[];
  /**
   * Hands the job over; it may run from then on.
   * @returns what the executor calls it
   * @throws {AppError} scheduler-refused, scheduler-unavailable: it did not take it; anything else: it may have, see
   * {@link recover}
   */
  submit(job: Job): Promise<string>;
  /** Finds a job whose submission was interrupted: its native id, or undefined when it is not there (yet). */
  recover(job: Job): Promise<string | undefined>;
  /**
   * What is known of open jobs, which all have a native id. A job without sightings did not change.
   * @throws {AppError} scheduler-unavailable; nothing is known then
   */
  look(jobs: readonly Job[]): Promise<ReadonlyMap<string, readonly Sighting[]>>;
  /** Asks the job to end, or ends it; called again with every look until it has ended. */
  cancel(job: Job): Promise<void>;
  hold(job: Job): Promise<void>;
  release(job: Job): Promise<void>;
  /** Called when the plugin stops; jobs go on. */
  close(): void;
}
