/** As Slurm 24.11 (data_parser v0.0.42) prints it; fields that nobody reads are left out. */

const wrapped = (number: number) => ({ set: true, infinite: false, number });
const unset = { set: false, infinite: false, number: 0 };
const infinite = { set: false, infinite: true, number: 0 };

const meta = {
  plugin: { type: '', name: '', data_parser: 'data_parser/v0.0.42', accounting_storage: '' },
  client: { source: '/dev/pts/0', user: 'root', group: 'root' },
  command: ['show', 'partitions'],
  slurm: { version: { major: '24', micro: '1', minor: '11' }, release: '24.11.1', cluster: 'cool' },
};

export const partitionsJson = JSON.stringify({
  partitions: [
    {
      nodes: { allowed_allocation: '', configured: 'server[2-5]', total: 4 },
      accounts: { allowed: 'physics,chemistry', deny: '' },
      groups: { allowed: '' },
      qos: { allowed: '', deny: 'scavenger', assigned: '' },
      tres: { billing_weights: '', configured: 'cpu=208,mem=1063398M,node=4,billing=208' },
      select_type: [],
      cpus: { task_binding: 0, total: 208 },
      defaults: { memory_per_cpu: 0, time: unset, job: '' },
      grace_time: 0,
      maximums: {
        cpus_per_node: wrapped(48),
        memory_per_cpu: 0,
        partition_memory_per_cpu: wrapped(4000),
        partition_memory_per_node: unset,
        nodes: infinite,
        shares: 1,
        time: infinite,
      },
      minimums: { nodes: 1 },
      name: 'cpu',
      partition: { state: ['UP'] },
      suspend_time: unset,
    },
  ],
  last_update: wrapped(1758612639),
  meta,
  errors: [],
  warnings: [],
});

export const nodesJson = JSON.stringify({
  nodes: [
    {
      name: 'server2',
      state: ['IDLE'],
      partitions: ['cpu'],
      cpus: 96,
      effective_cpus: 96,
      alloc_cpus: 0,
      alloc_idle_cpus: 96,
      real_memory: 515711,
      alloc_memory: 0,
      free_mem: wrapped(400000),
      gres: '',
      features: ['avx512', 'rack1'],
      active_features: ['avx512', 'rack1'],
      reason: '',
    },
    {
      name: 'server3',
      state: ['IDLE', 'MAINTENANCE', 'RESERVED'],
      partitions: ['cpu'],
      cpus: 8,
      alloc_cpus: 0,
      real_memory: 15988,
      alloc_memory: 0,
      gres: '',
      features: [],
      active_features: [],
      reason: '',
    },
  ],
  last_update: wrapped(1758612639),
  meta,
  errors: [],
  warnings: [],
});

export const squeueJson = JSON.stringify({
  jobs: [
    {
      account: 'physics',
      array_job_id: wrapped(0),
      array_task_id: unset,
      array_task_string: '',
      exit_code: { status: ['SUCCESS'], return_code: wrapped(0), signal: { id: unset, name: '' } },
      job_id: 333,
      job_state: ['RUNNING'],
      name: 'REST | job',
      nodes: 'server2',
      cpus: wrapped(4),
      node_count: wrapped(1),
      partition: 'cpu',
      priority: wrapped(1),
      hold: false,
      start_time: wrapped(1746693312),
      state_reason: 'None',
      submit_time: wrapped(1746693311),
      time_limit: wrapped(90),
      user_name: 'hedy',
    },
    {
      account: 'physics',
      array_job_id: wrapped(340),
      array_task_id: unset,
      array_task_string: '0-99',
      job_id: 340,
      job_state: ['PENDING'],
      name: 'many',
      nodes: '',
      cpus: wrapped(1),
      node_count: wrapped(1),
      partition: 'cpu',
      priority: wrapped(1),
      start_time: wrapped(0),
      state_reason: 'Resources',
      submit_time: wrapped(1746693320),
      time_limit: infinite,
      user_name: 'hedy',
    },
  ],
  last_backfill: wrapped(1746670919),
  last_update: wrapped(1746693325),
  meta,
  errors: [],
  warnings: [],
});
