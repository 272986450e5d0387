import { readEnvironment } from '@gantry/config';
import type { HostRole } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';

/** Variables that batch systems set inside a job. */
const jobVariables = [
  ['slurm', 'SLURM_JOB_ID'],
  ['pbs', 'PBS_JOBID'],
  ['lsf', 'LSB_JOBID'],
  ['cobalt', 'COBALT_JOBID'],
] as const;

/** Inside a batch job the machine is a compute node of it, else one where people log in. */
export function readHostRole(read: (name: string) => string | undefined = readEnvironment): HostRole {
  for (const [scheduler, variable] of jobVariables) {
    const jobId = read(variable);
    if (jobId !== undefined) return { role: 'compute', scheduler, job_id: jobId };
  }
  return { role: 'login', scheduler: null, job_id: null };
}

/** @throws {AppError} invalid-request */
export function parseSince(text: string | null): string | undefined {
  if (text === null || text === '') return undefined;
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new AppError('invalid-request', '/query/since: must be a time, such as 2026-01-31T12:00:00Z');
  return time.toISOString();
}
