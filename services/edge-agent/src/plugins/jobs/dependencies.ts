/** What a job waits for. Pure. */
import { isFinalJobState, type JobDependency, type JobSpec } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import { isOpen, type Job } from './job.js';

export type Verdict = 'met' | 'waiting' | 'never';

/** Whether a condition holds for another job. */
export function judge(condition: JobDependency['condition'], job: Job | undefined): Verdict {
  // Forgotten jobs had ended; how, nobody knows.
  if (job === undefined) return condition === 'after' || condition === 'afterany' ? 'met' : 'never';
  if (condition === 'after') {
    const haveBegun = job.tasks.every(({ state }) => state === 'ACTIVE' || isFinalJobState(state));
    return haveBegun ? 'met' : 'waiting';
  }
  if (isOpen(job)) return 'waiting';
  if (condition === 'afterany') return 'met';
  return (job.state === 'COMPLETED') === (condition === 'afterok') ? 'met' : 'never';
}

/**
 * The spec with the dependencies that are still to be waited for: what has ended is decided here, as schedulers forget
 * their jobs sooner than we do.
 * @throws {AppError} invalid-request for jobs that the caller does not have, of another executor, or in vain
 */
export function resolveDependencies(
  submission: { readonly owner: string; readonly executor: string; readonly spec: JobSpec },
  find: (id: string) => Job | undefined,
): JobSpec {
  const { owner, executor, spec } = submission;
  const refuse = (at: number, detail: string) =>
    new AppError('invalid-request', detail, {
      errors: [{ pointer: `/body/spec/dependencies/${at}`, detail }],
    });
  const waiting = spec.dependencies.filter(({ job_id, condition }, at) => {
    const job = find(job_id);
    if (job === undefined || job.owner !== owner) throw refuse(at, `You have no job ${job_id} here`);
    if (job.executor !== executor)
      throw refuse(at, `The job ${job_id} is of the executor ${job.executor}, not of ${executor}`);
    if (job.nativeId === null && isOpen(job)) throw refuse(at, `The job ${job_id} is not handed over yet`);
    const verdict = judge(condition, job);
    if (verdict === 'never')
      throw refuse(at, `The job ${job_id} has ended as ${job.state}: ${condition} can never be met`);
    return verdict === 'waiting';
  });
  return { ...spec, dependencies: waiting };
}
