import { z } from 'zod';

export const queueInfoConfigSchema = z.strictObject({
  /** How old an answer may be, unless it is asked for with `force`. */
  cacheSeconds: z.number().int().min(1).max(3600).default(60),
  /** Folder of squeue and its like; empty: where PATH leads. */
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
export type QueueInfoConfig = z.infer<typeof queueInfoConfigSchema>;
