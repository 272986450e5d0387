import { jobExecutors } from '@gantry/contracts';
import { z } from 'zod';

export const jobsConfigSchema = z.strictObject({
  /** Which executors may be used; `slurm` is only there when its programs are. */
  executors: z
    .array(z.enum(jobExecutors))
    .min(1)
    .default([...jobExecutors]),
  /**
   * Where jobs and their output are kept; empty: in the folder of the plugin. For Slurm it must be a folder that the
   * compute nodes see too.
   */
  folder: z
    .string()
    .max(4096)
    .regex(/^(\/|$)/, 'must be absolute')
    .default(''),
  /** Jobs that have not ended, of everybody and of one user. */
  maxOpenJobs: z.number().int().min(1).max(10_000).default(1000),
  maxOpenJobsPerUser: z.number().int().min(1).max(10_000).default(500),
  /** Jobs that have ended are forgotten beyond this number, oldest first, with the output kept for them. */
  maxEndedJobs: z.number().int().min(0).max(10_000).default(1000),
  endedJobDays: z.number().int().min(1).max(3650).default(30),
  /** Processes of the executor `local` at a time; further jobs wait. */
  localMaxRunning: z.number().int().min(1).max(10_000).default(64),
  /** Between asking a job to end and ending it. */
  localKillGraceSeconds: z.number().int().min(0).max(3600).default(5),
  /** Between two looks at the scheduler while jobs are open. */
  slurmPollSeconds: z.number().int().min(1).max(300).default(5),
  /** Folder of sbatch and its like; empty: where PATH leads. */
  slurmBinFolder: z
    .string()
    .max(4096)
    .regex(/^(\/|$)/, 'must be absolute')
    .default(''),
  /** Path of slurm.conf; empty: what the programs take by themselves. */
  slurmConf: z
    .string()
    .max(4096)
    .regex(/^(\/|$)/, 'must be absolute')
    .default(''),
});
export type JobsConfig = z.infer<typeof jobsConfigSchema>;
