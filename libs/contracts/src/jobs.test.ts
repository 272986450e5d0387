import { describe, expect, it } from '@jest/globals';
import { fromPsijSpec, jobSpecSchema, jobSubmitSchema, listIndices, psijSpecSchema } from './index.js';

const parsePsij = (spec: Record<string, unknown>) =>
  fromPsijSpec(psijSpecSchema.parse({ executable: '/bin/true', ...spec }));

describe('a job spec', () => {
  it.each([
    [{ walltime: 1 }, 'walltime'],
    [{ resources: { cpus: 1 } }, 'cpus'],
    [{ array: { indices: '0', step: 1 } }, 'step'],
    [{ dependencies: [{ job_id: 'a', condition: 'afterok', delay: 1 }] }, 'delay'],
  ])('names the key that it does not know: %j', (extra, key) => {
    const parsed = jobSpecSchema.safeParse({ executable: 'a', ...extra });
    expect(parsed.success).toBe(false);
    expect(parsed.error?.message).toContain(key);
  });

  it.each([
    [{ executable: '' }],
    [{ executable: '-c' }],
    [{ executable: 'a\0b' }],
    [{ arguments: ['a\0'] }],
    [{ arguments: ['\ud800'] }],
    [{ environment: { 'A=B': '1' } }],
    [{ environment: { '1A': '1' } }],
    [{ directory: 'relative' }],
    [{ queue: 'two words' }],
    [{ duration: 0 }],
    [{ duration: 1.5 }],
    [{ resources: { memory: '4 GB' } }],
    [{ array: { indices: '5-1' } }],
    [{ array: { indices: '0-9:0' } }],
    [{ array: { indices: '0-1000' } }],
    [{ array: { indices: '0-1' }, stdout_path: 'same-for-all' }],
    [{ resources: { nodes: 2, processes: 5, processes_per_node: 2 } }],
  ])('refuses %j', (extra) => {
    expect(jobSpecSchema.safeParse({ executable: 'a', ...extra }).success).toBe(false);
  });

  it('reads memory as bytes and indices as numbers', () => {
    expect(jobSpecSchema.parse({ executable: 'a', resources: { memory: '2G' } }).resources.memory).toBe(
      2 ** 31,
    );
    // What was parsed can be parsed again: that is how it is kept.
    const once = jobSubmitSchema.parse({ spec: { executable: 'a', resources: { memory: '1K' } } });
    expect(jobSubmitSchema.parse(once)).toEqual(once);
    expect(listIndices('9,0-6:3,3')).toEqual([0, 3, 6, 9]);
  });
});

describe('the job spec of older clients', () => {
  it('means the same in our words', () => {
    const spec = parsePsij({
      name: 'n',
      arguments: ['a'],
      directory: '/d',
      environment: { A: 1 },
      attributes: {
        duration: '600',
        queue_name: 'q',
        account: 'p',
        reservation_id: 'r',
        node_count: 2,
        'slurm.constraint': 'c',
      },
      resources: {
        processes_per_node: 4,
        cpu_cores_per_process: 3,
        gpu_cores_per_process: 1,
        memory: 1024,
        exclusive_node_use: true,
      },
      custom_attributes: { 'slurm.qos': 'high' },
    });
    expect(spec).toEqual(
      jobSpecSchema.parse({
        name: 'n',
        executable: '/bin/true',
        arguments: ['a'],
        directory: '/d',
        environment: { A: '1' },
        duration: 600,
        queue: 'q',
        account: 'p',
        reservation: 'r',
        resources: {
          nodes: 2,
          processes: 8,
          processes_per_node: 4,
          cores_per_process: 3,
          gpus_per_process: 1,
          memory: 1024,
          exclusive: true,
        },
        custom_attributes: { 'slurm.constraint': 'c', 'slurm.qos': 'high' },
      }),
    );
  });

  it('may say nothing but the executable, or null', () => {
    const plain = jobSpecSchema.parse({ executable: '/bin/true' });
    expect(parsePsij({})).toEqual(plain);
    expect(parsePsij({ arguments: null, attributes: { duration: null, queue_name: null } })).toEqual(plain);
  });

  it.each([
    [{ stdin: 'x' }, 'stdin'],
    [{ attributes: { nodes: 1 } }, 'nodes'],
    [{ resources: { cores: 1 } }, 'cores'],
    [{ attributes: { 'slurm.x': { deep: 1 } } }, 'slurm.x'],
    [{ pre_launch: '/setup.sh' }, 'pre_launch'],
    [{ attributes: { account: 'a', project_name: 'b' } }, 'project_name'],
    [{ attributes: { node_count: 2 }, resources: { node_count: 3 } }, 'node_count'],
    [{ attributes: { 'slurm.qos': 'a' }, custom_attributes: { 'slurm.qos': 'b' } }, 'slurm.qos'],
    [
      { attributes: { custom_attributes: { 'slurm.qos': 'a' } }, custom_attributes: { 'slurm.qos': 'b' } },
      'slurm.qos',
    ],
    [{ attributes: { 'slurm.qos': 'a', custom_attributes: { 'slurm.qos': 'b' } } }, 'slurm.qos'],
    [{ resources: { node_count: 2, process_count: 5, processes_per_node: 2 } }, 'process_count'],
  ])('drops nothing silently: %j', (extra, key) => {
    const parsed = psijSpecSchema.safeParse({ executable: '/bin/true', ...extra });
    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error?.issues)).toContain(key);
  });
});
