/**
 * As Slurm 23.02 (data_parser v0.0.39: some numbers wrapped, times bare, states words) and 23.11 (v0.0.40: all wrapped,
 * states lists) print it; fields that nobody reads are left out.
 */

const wrapped = (number: number) => ({ set: true, infinite: false, number });
const unset = { set: false, infinite: false, number: 0 };
const infinite = { set: false, infinite: true, number: 0 };

export const squeueJson2302 = JSON.stringify({
  meta: {
    plugins: { data_parser: 'data_parser/v0.0.39', accounting_storage: 'accounting_storage/slurmdbd' },
    command: ['squeue', '--json'],
    Slurm: { version: { major: 23, micro: 6, minor: 2 }, release: '23.02.6' },
  },
  jobs: [
    {
      account: 'physics@gpu',
      array_job_id: wrapped(0),
      array_task_id: unset,
      array_max_tasks: wrapped(0),
      array_task_string: '',
      exit_code: wrapped(0),
      job_id: 1618871,
      job_state: 'RUNNING',
      name: 'train',
      nodes: 'gpu-[01-02]',
      cpus: wrapped(32),
      node_count: wrapped(2),
      partition: 'gpu',
      priority: wrapped(239256),
      start_time: 1701983394,
      state_reason: 'None',
      submit_time: 1701982989,
      time_limit: wrapped(6000),
      user_name: 'grace',
    },
  ],
  warnings: [],
  errors: [],
});

export const squeueJson2311 = JSON.stringify({
  jobs: [
    {
      account: 'physics',
      array_job_id: wrapped(6077609),
      array_task_id: wrapped(41),
      array_max_tasks: wrapped(2),
      array_task_string: '',
      exit_code: { status: ['SUCCESS'], return_code: wrapped(0), signal: { id: unset, name: '' } },
      job_id: 6077651,
      job_state: ['CANCELLED', 'COMPLETING'],
      name: 'sweep',
      nodes: 'cpu-7',
      cpus: wrapped(1),
      node_count: wrapped(1),
      partition: 'cpu',
      priority: wrapped(4294),
      start_time: wrapped(1706000000),
      state_reason: 'None',
      submit_time: wrapped(1705999000),
      time_limit: infinite,
      user_name: 'grace',
    },
    { job_id: 5, job_state: ['COMPLETED'], array_job_id: wrapped(0), user_name: 'grace' },
  ],
  last_backfill: wrapped(1706000000),
  meta: { plugin: { data_parser: 'data_parser/v0.0.40' }, slurm: { release: '23.11.4' } },
  errors: [],
  warnings: [],
});

/** `scontrol --json show nodes` */
export const nodesJson = JSON.stringify({
  nodes: [
    {
      name: 'gpu-01',
      state: ['MIXED'],
      partitions: ['gpu', 'all'],
      cpus: 96,
      alloc_cpus: 16,
      alloc_idle_cpus: 80,
      real_memory: 515711,
      alloc_memory: 120000,
      free_mem: wrapped(300000),
      gres: 'gpu:nvidia_l40s:2',
      gres_used: 'gpu:nvidia_l40s:1(IDX:0)',
      features: 'avx512,l40s',
      active_features: 'avx512,l40s',
      reason: '',
    },
    {
      name: 'gpu-02',
      state: ['DOWN', 'NOT_RESPONDING'],
      partitions: ['gpu', 'all'],
      cpus: 96,
      alloc_cpus: 0,
      real_memory: 515711,
      alloc_memory: 0,
      gres: 'gpu:nvidia_l40s:2',
      active_features: 'avx512,l40s',
      reason: 'Not responding',
    },
  ],
  last_update: 1706000000,
  errors: [],
});

/** `scontrol --json show partitions` */
export const partitionsJson = JSON.stringify({
  partitions: [
    {
      nodes: { allowed_allocation: '', configured: 'gpu-[01-02]', total: 2 },
      accounts: { allowed: '', deny: '' },
      qos: { allowed: '', deny: '', assigned: 'few' },
      tres: { billing_weights: '', configured: 'cpu=192,mem=1031422M,node=2,billing=192' },
      cpus: { task_binding: 0, total: 192 },
      defaults: { time: wrapped(30) },
      maximums: { nodes: wrapped(2), time: wrapped(2880) },
      minimums: { nodes: 0 },
      name: 'gpu',
      partition: { state: 'UP' },
    },
  ],
  errors: [],
});
