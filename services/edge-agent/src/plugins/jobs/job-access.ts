/** Whose jobs a caller gets to see. */
import { AppError } from '@gantry/kernel';
import { mayCall } from '../../core/permissions.js';
import type { Caller } from '../../core/ports.js';
import type { Job } from './job.js';
import type { Jobs } from './jobs.js';

export const mayAdminister = ({ rights }: Caller): boolean => mayCall(rights, 'jobs:admin', 'jobs');

/** @throws {AppError} job-not-found, also for jobs of others, unless the caller administers jobs here */
export function demandJob(jobs: Jobs, id: string, caller: Caller): Job {
  const job = jobs.get(id);
  if (job.owner !== caller.user && !mayAdminister(caller))
    throw new AppError('job-not-found', `There is no job ${id.slice(0, 64)} here`);
  return job;
}
