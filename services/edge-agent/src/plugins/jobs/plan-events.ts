/** From what an executor sees of a job to the events that are missing. Pure. */
import { isFinalJobState, type JobEvent, type JobState, type JobTask } from '@gantry/contracts';
import type { Job } from './job.js';

/** What an executor sees of one task. */
export interface Sighting {
  readonly index: number | null;
  readonly state: JobState;
  readonly exitCode: number | null;
  readonly message: string | null;
  /** Whether it ran: an end without a beginning gets its ACTIVE first. */
  readonly hasRun: boolean;
}

/**
 * The events that lead from what the job's journal says to what was seen: in order, numbered on from `job.seq`. Nothing
 * that has ended changes; sightings of tasks that the job does not have are not its own.
 */
export function planEvents(job: Job, sightings: readonly Sighting[], nowMs: number): readonly JobEvent[] {
  const time = new Date(nowMs).toISOString();
  const events: JobEvent[] = [];
  let seq = job.seq;
  const add = (event: Omit<JobEvent, 'job_id' | 'seq' | 'time'>) => {
    seq += 1;
    events.push({ job_id: job.id, seq, time, ...event });
  };
  const states = new Map(
    job.tasks.map((task) => [task.index, { state: task.state, exitCode: task.exit_code }]),
  );
  const isArray = job.spec.array !== undefined;
  const before: JobTask | undefined = job.tasks[0];
  for (const { index, state, exitCode, message, hasRun } of sightings) {
    const known = states.get(index);
    if (known === undefined || isFinalJobState(known.state) || !isStep(known.state, state)) continue;
    if (isFinalJobState(state) && hasRun && known.state !== 'ACTIVE') {
      if (isArray) add({ index, state: 'ACTIVE', exit_code: null, message: null });
      else add({ index: null, state: 'ACTIVE', exit_code: null, message: null });
    }
    add({ index, state, exit_code: exitCode, message });
    states.set(index, { state, exitCode });
  }
  if (!isArray || before === undefined || isFinalJobState(job.state)) return events;
  const whole = summarize([...states.values()]);
  if (whole.state === job.state) return events;
  if (
    isFinalJobState(whole.state) &&
    job.state !== 'ACTIVE' &&
    events.some(({ state }) => state === 'ACTIVE')
  )
    add({ index: null, state: 'ACTIVE', exit_code: null, message: null });
  const last = events.findLast(({ state }) => state === whole.state);
  add({
    index: null,
    state: whole.state,
    exit_code: whole.exitCode,
    message: isFinalJobState(whole.state) ? (last?.message ?? null) : null,
  });
  return events;
}

/** A scheduler may put a running job back into its queue; nothing goes back to NEW. */
const isStep = (from: JobState, to: JobState): boolean => from !== to && to !== 'NEW';

interface TaskEnd {
  readonly state: JobState;
  readonly exitCode: number | null;
}

/** An array is as far as the furthest of its elements until all have ended, then as bad as the worst. */
export function summarize(tasks: readonly TaskEnd[]): TaskEnd {
  const has = (state: JobState) => tasks.some((task) => task.state === state);
  if (tasks.every(({ state }) => isFinalJobState(state))) {
    const state = has('FAILED') ? 'FAILED' : has('CANCELED') ? 'CANCELED' : 'COMPLETED';
    const codes = tasks.filter((task) => task.state === state).map(({ exitCode }) => exitCode);
    return { state, exitCode: codes.find((code) => code !== null && code !== 0) ?? codes[0] ?? null };
  }
  const hasBegun = tasks.some(({ state }) => state === 'ACTIVE' || isFinalJobState(state));
  return { state: hasBegun ? 'ACTIVE' : has('QUEUED') ? 'QUEUED' : 'NEW', exitCode: null };
}
