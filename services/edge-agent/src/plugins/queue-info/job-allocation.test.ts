import { describe, expect, it } from '@jest/globals';
import { readJobAllocation } from './job-allocation.js';

const reader = (variables: Readonly<Record<string, string>>) => (name: string) => variables[name];

describe('the job that the agent runs in', () => {
  it('is none outside of a batch system', () => {
    expect(readJobAllocation(reader({}), 0)).toEqual({ allocation: null });
  });

  it('is read from what Slurm put into the environment', () => {
    const variables = {
      SLURM_JOB_ID: '77',
      SLURM_JOB_PARTITION: 'gpu',
      SLURM_JOB_NUM_NODES: '3',
      SLURM_JOB_NODELIST: 'n[1-3]',
      SLURM_JOB_CPUS_PER_NODE: '16(x2),8',
      SLURM_GPUS_PER_NODE: 'a100:4',
      SLURM_JOB_ACCOUNT: 'physics',
      SLURM_JOB_NAME: 'agent',
      SLURM_JOB_START_TIME: '1000',
    };
    expect(readJobAllocation(reader(variables), 1_060_500)).toEqual({
      allocation: {
        job_id: '77',
        partition: 'gpu',
        n_nodes: 3,
        nodelist: 'n[1-3]',
        cpus_per_node: 16,
        gpus_per_node: 4,
        account: 'physics',
        job_name: 'agent',
        runtime: 60,
      },
    });
  });
});
