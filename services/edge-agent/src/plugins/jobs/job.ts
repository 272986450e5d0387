/**
 * One job as the plugin knows it, and how it changes. Pure: {@link JobStore} keeps it on the disk.
 *
 * I1. A job is what its journal says: its first line, then every later one applied in order.
 * I2. Events of a job are numbered 1, 2, 3 … ; a final state of a task, or of the job, is never left.
 */
import {
  isFinalJobState,
  type JobEvent,
  type JobExecutorName,
  type JobSpec,
  type JobState,
  type JobTask,
  listIndices,
} from '@gantry/contracts';

export interface Job {
  readonly id: string;
  readonly owner: string;
  /** The session of an older client that it was submitted in. */
  readonly session: string | null;
  readonly executor: JobExecutorName;
  readonly spec: JobSpec;
  readonly submittedAtMs: number;
  /** What the caller called the submission, so that a second one is not a second job. */
  readonly submissionKey: string | null;
  nativeId: string | null;
  state: JobState;
  exitCode: number | null;
  message: string | null;
  isHeld: boolean;
  /** Why it has not begun, in the words of its executor, as last seen; not in the journal. */
  waitingFor: string | null;
  cancelAskedAtMs: number | null;
  readonly tasks: readonly MutableTask[];
  /** Of the last event. */
  seq: number;
  /** Of the last event that is known to be handed on. */
  sentSeq: number;
  endedAtMs: number | null;
}

type MutableTask = { -readonly [K in keyof JobTask]: JobTask[K] };

export type JobBirth = Pick<
  Job,
  'id' | 'owner' | 'session' | 'executor' | 'spec' | 'submittedAtMs' | 'submissionKey'
>;

/** One line of the journal after the first. */
export type JobLine =
  | { readonly kind: 'event'; readonly event: JobEvent }
  | { readonly kind: 'native'; readonly id: string }
  | { readonly kind: 'cancel'; readonly atMs: number }
  | { readonly kind: 'held'; readonly isHeld: boolean }
  | { readonly kind: 'sent'; readonly seq: number };

export function createJob(birth: JobBirth): Job {
  const { array, hold } = birth.spec;
  const indices = array === undefined ? [null] : listIndices(array.indices);
  return {
    ...birth,
    nativeId: null,
    state: 'NEW',
    exitCode: null,
    message: null,
    isHeld: hold,
    waitingFor: null,
    cancelAskedAtMs: null,
    tasks: indices.map((index) => ({
      index,
      state: 'NEW',
      exit_code: null,
      message: null,
      started_at: null,
      ended_at: null,
    })),
    seq: 0,
    sentSeq: 0,
    endedAtMs: null,
  };
}

/** I1 */
export function applyLine(job: Job, line: JobLine): void {
  if (line.kind === 'native') job.nativeId = line.id;
  else if (line.kind === 'cancel') job.cancelAskedAtMs = line.atMs;
  else if (line.kind === 'held') job.isHeld = line.isHeld;
  else if (line.kind === 'sent') job.sentSeq = Math.max(job.sentSeq, line.seq);
  else applyEvent(job, line.event);
}

function applyEvent(job: Job, event: JobEvent): void {
  const { seq, time, index, state, exit_code, message } = event;
  job.seq = seq;
  const isArray = job.spec.array !== undefined;
  if (index === null) {
    job.state = state;
    job.exitCode = exit_code;
    job.message = message;
    if (isFinalJobState(state)) job.endedAtMs = Date.parse(time);
  }
  if (index === null && isArray) return;
  const task = job.tasks.find((candidate) => candidate.index === index);
  if (task === undefined) return;
  task.state = state;
  task.exit_code = exit_code;
  task.message = message;
  if (state === 'ACTIVE') task.started_at ??= time;
  if (isFinalJobState(state)) task.ended_at = time;
}

export const isOpen = (job: Job): boolean => !isFinalJobState(job.state);

/** When the first of its tasks began. */
export function startedAtOf(job: Job): string | null {
  const times = job.tasks.flatMap(({ started_at }) => (started_at === null ? [] : [Date.parse(started_at)]));
  return times.length === 0 ? null : new Date(Math.min(...times)).toISOString();
}
