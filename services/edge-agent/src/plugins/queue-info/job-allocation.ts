import type { JobAllocation } from '@gantry/contracts';

/** The batch job that the agent itself runs in, by what Slurm put into its environment. Pure. */
export function readJobAllocation(read: (name: string) => string | undefined, nowMs: number): JobAllocation {
  const jobId = read('SLURM_JOB_ID');
  if (jobId === undefined) return { allocation: null };
  const started = countOf(read('SLURM_JOB_START_TIME'));
  return {
    allocation: {
      job_id: jobId,
      partition: read('SLURM_JOB_PARTITION') ?? null,
      n_nodes: countOf(read('SLURM_JOB_NUM_NODES') ?? read('SLURM_NNODES')),
      nodelist: read('SLURM_JOB_NODELIST') ?? null,
      // `16(x2),8`: the first nodes.
      cpus_per_node: countOf(read('SLURM_JOB_CPUS_PER_NODE')?.replace(/[(,].*$/, '')),
      // `a100:4` with a type.
      gpus_per_node: countOf(read('SLURM_GPUS_ON_NODE') ?? read('SLURM_GPUS_PER_NODE')?.split(':').at(-1)),
      account: read('SLURM_JOB_ACCOUNT') ?? null,
      job_name: read('SLURM_JOB_NAME') ?? null,
      runtime: started === null ? null : Math.max(0, Math.floor(nowMs / 1000) - started),
    },
  };
}

const countOf = (text: string | undefined): number | null =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
