/** What callers see of a job. Pure. */
import type { JobDetail, JobSummary } from '@gantry/contracts';
import { isOpen, type Job, startedAtOf } from './job.js';

export function toSummary(job: Job): JobSummary {
  const { spec } = job;
  return {
    job_id: job.id,
    native_id: job.nativeId,
    name: spec.name ?? null,
    owner: job.owner,
    executor: job.executor,
    state: job.state,
    exit_code: job.exitCode,
    message: messageOf(job),
    is_held: job.isHeld && isOpen(job),
    is_canceling: job.cancelAskedAtMs !== null && isOpen(job),
    queue: spec.queue ?? null,
    account: spec.account ?? null,
    executable: spec.executable,
    arguments: spec.arguments,
    submitted_at: new Date(job.submittedAtMs).toISOString(),
    started_at: startedAtOf(job),
    ended_at: job.endedAtMs === null ? null : new Date(job.endedAtMs).toISOString(),
    seq: job.seq,
  };
}

export const toDetail = (job: Job): JobDetail => ({
  ...toSummary(job),
  spec: job.spec,
  tasks: job.tasks.map((task) => ({ ...task })),
});

/** How it ended; before it began, what it waits for. */
export const messageOf = ({ message, state, waitingFor }: Job): string | null =>
  message ?? (state === 'QUEUED' ? waitingFor : null);

/** One entry of `list_jobs`, as the older clients read it. */
export const toPsijSummary = (job: Job) => ({
  job_id: job.id,
  native_id: job.nativeId,
  state: job.state,
  exit_code: job.exitCode,
  executable: job.spec.executable,
  arguments: job.spec.arguments,
  executor: job.executor,
  queue_name: job.spec.queue ?? null,
  account: job.spec.account ?? null,
  node_count: job.spec.resources.nodes ?? null,
});
