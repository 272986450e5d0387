import { queuedJobSchema, queueNodeSchema, queueSchema } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import { summarizeQueues } from '../../plugins/queue-info/summarize-queues.js';
import { parseAllocations, parseJobLimits, parseShares } from './allocations.js';
import { parseJobsJson, parseJobsText } from './jobs.js';
import { parseNodesJson, parseNodesText } from './nodes.js';
import { parsePartitionsJson, parsePartitionsText } from './partitions.js';
import * as v2205 from './slurm-22.05.fixture.js';
import * as v23 from './slurm-23.fixture.js';
import * as v2411 from './slurm-24.11.fixture.js';
import { countGpus, parseDuration } from './values.js';

describe('the queue of every version of Slurm', () => {
  it('is read from 22.05: bare numbers and words, without what has ended', () => {
    const jobs = parseJobsJson(JSON.parse(v2205.squeueJson), 1795247400);
    expect(jobs.map((job) => queuedJobSchema.parse(job))).toEqual(jobs);
    expect(jobs).toMatchObject([
      {
        job_id: '3',
        state: 'RUNNING',
        time_limit: 60,
        time_used: 11,
        reason: null,
        node_list: 'n0',
        cpus: 1,
      },
      {
        job_id: '8_[4-9%2]',
        state: 'PENDING',
        time_limit: 'UNLIMITED',
        time_used: 0,
        start_time: null,
        reason: 'JobHeldUser',
        priority: 0,
      },
    ]);
  });

  it('is read from 23.02: numbers wrapped, times not', () => {
    expect(parseJobsJson(JSON.parse(v23.squeueJson2302), 1701983400)).toEqual([
      {
        job_id: '1618871',
        job_name: 'train',
        user: 'grace',
        partition: 'gpu',
        state: 'RUNNING',
        reason: null,
        nodes: 2,
        cpus: 32,
        time_limit: 6000,
        time_used: 6,
        submit_time: 1701982989,
        start_time: 1701983394,
        priority: 239256,
        account: 'physics@gpu',
        node_list: 'gpu-[01-02]',
      },
    ]);
  });

  it('is read from 23.11: states are lists, and what is being ended is still there', () => {
    expect(parseJobsJson(JSON.parse(v23.squeueJson2311), 1706000100)).toMatchObject([
      { job_id: '6077609_41', state: 'COMPLETING', time_limit: 'UNLIMITED', time_used: 100 },
    ]);
  });

  it('is read from 24.11', () => {
    expect(parseJobsJson(JSON.parse(v2411.squeueJson), 1746693412)).toMatchObject([
      {
        job_id: '333',
        job_name: 'REST | job',
        state: 'RUNNING',
        time_limit: 90,
        time_used: 100,
        user: 'hedy',
      },
      {
        job_id: '340_[0-99]',
        state: 'PENDING',
        start_time: null,
        time_limit: 'UNLIMITED',
        reason: 'Resources',
      },
    ]);
  });

  it('is read from columns, where a name may hold the separator', () => {
    const jobs = parseJobsText(v2205.jobsText);
    expect(jobs.map((job) => queuedJobSchema.parse(job))).toEqual(jobs);
    expect(jobs).toMatchObject([
      { job_id: '3', job_name: 'wrap', time_limit: 60, time_used: 65, account: '', nodes: 1 },
      { job_id: '8_[4-9%2]', job_name: 'a | b', user: 'ada', time_limit: 'UNLIMITED', start_time: null },
    ]);
  });

  it('refuses the answer of another command instead of reading nothing from it', () => {
    expect(() => parseJobsJson({ nodes: [] }, 0)).toThrow('has no jobs');
    expect(() => parseNodesJson({ sinfo: [] })).toThrow('has no nodes');
    expect(() => parsePartitionsJson([])).toThrow('has no partitions');
  });
});

describe('the nodes of every version of Slurm', () => {
  it.each([
    ['22.05', v2205.sinfoJson, [true, false], [0, 6]],
    ['23.x', v23.nodesJson, [true, false], [2, 2]],
    ['24.11', v2411.nodesJson, [true, false], [0, 0]],
  ])('are read from the JSON of %s', (_version, text, available, gpus) => {
    const nodes = parseNodesJson(JSON.parse(text));
    expect(nodes.map((node) => queueNodeSchema.parse(node))).toEqual(nodes);
    expect(nodes.map(({ is_available }) => is_available)).toEqual(available);
    expect(nodes.map((node) => node.gpus)).toEqual(gpus);
    expect(nodes.every(({ cpus, memory_mb }) => cpus > 0 && memory_mb > 0)).toBe(true);
  });

  it('are read from the text, where a reason may look like another field', () => {
    const [first, second] = parseNodesText(v2205.nodesText);
    expect(first).toMatchObject({ name: 'n0', state: ['MIXED'], cpus: 2, cpus_allocated: 1, gpus: 0 });
    expect(second).toMatchObject({
      name: 'n1',
      state: ['IDLE', 'NOT_RESPONDING', 'DRAIN'],
      is_available: false,
      is_idle: false,
      queues: ['debug', 'batch'],
      gpus: 2,
      features: ['cpu'],
    });
  });
});

const noLimits = {
  ...{ min_nodes: null, max_cpus_per_node: null, max_mem_per_node_mb: null, max_mem_per_cpu_mb: null },
  ...{ default_mem_per_node_mb: null, default_mem_per_cpu_mb: null },
  ...{ allowed_accounts: null, allowed_groups: null, allowed_qos: null, denied_accounts: [], denied_qos: [] },
};

describe('the partitions of every version of Slurm', () => {
  it('are read from the text', () => {
    expect(parsePartitionsText(v2205.partitionsText)).toEqual([
      {
        name: 'debug',
        state: 'UP',
        isDefault: true,
        maxTime: 60,
        defaultTime: null,
        maxNodes: null,
        totalNodes: 2,
        totalCpus: 4,
        qos: null,
        limits: noLimits,
      },
      {
        name: 'batch',
        state: 'DRAIN',
        isDefault: false,
        maxTime: 'UNLIMITED',
        defaultTime: 30,
        maxNodes: 4,
        totalNodes: 1,
        totalCpus: 2,
        qos: 'few',
        limits: {
          ...noLimits,
          ...{
            min_nodes: 2,
            max_cpus_per_node: 16,
            max_mem_per_node_mb: 64_000,
            default_mem_per_cpu_mb: 1000,
          },
          ...{
            allowed_groups: ['staff'],
            allowed_qos: ['normal', 'few'],
            denied_accounts: ['guests', 'tests'],
          },
        },
      },
    ]);
  });

  it('are read from the JSON of 23.x and 24.11', () => {
    expect(parsePartitionsJson(JSON.parse(v23.partitionsJson))).toMatchObject([
      { name: 'gpu', state: 'UP', maxTime: 2880, defaultTime: 30, maxNodes: 2, totalCpus: 192, qos: 'few' },
    ]);
    expect(parsePartitionsJson(JSON.parse(v2411.partitionsJson))).toMatchObject([
      { name: 'cpu', state: 'UP', maxTime: 'UNLIMITED', defaultTime: null, maxNodes: null, totalNodes: 4 },
    ]);
    const [older, newer] = [v23, v2411].map(({ partitionsJson }) =>
      parsePartitionsJson(JSON.parse(partitionsJson)),
    );
    expect(older?.[0]?.limits).toEqual(noLimits);
    expect(newer?.[0]?.limits).toEqual({
      ...noLimits,
      ...{ min_nodes: 1, max_cpus_per_node: 48, max_mem_per_cpu_mb: 4000 },
      ...{ allowed_accounts: ['physics', 'chemistry'], denied_qos: ['scavenger'] },
    });
  });

  it('are summed up with their nodes', () => {
    const partitions = parsePartitionsText(v2205.partitionsText);
    const nodes = parseNodesJson(JSON.parse(v2205.sinfoJson));
    const queues = summarizeQueues(partitions, nodes, parseJobLimits(v2205.qosText));
    expect(Object.values(queues).map((queue) => queueSchema.parse(queue))).toEqual(Object.values(queues));
    expect(queues).toMatchObject({
      debug: {
        default: true,
        nodes_total: 2,
        nodes_available: 1,
        nodes_idle: 0,
        cpus_idle: 1,
        gpus_per_node: 6,
      },
      batch: {
        default: false,
        nodes_available: 0,
        time_limit: 'UNLIMITED',
        max_jobs_per_user: 3,
        features: ['cpu'],
      },
    });
  });
});

describe('allocations', () => {
  it('tell what is left: of the own limit, or of the account', () => {
    const found = parseAllocations(v2205.associationsText, parseShares(v2205.sharesText));
    expect(found).toMatchObject([
      { account: 'root', user: 'root', allocated_node_hours: null, remaining_node_hours: null },
      {
        account: 'proj1',
        user: 'root',
        fairshare: 10,
        max_jobs: 5,
        max_submit: 10,
        max_wall: '1-00:00:00',
        grp_tres: 'cpu=64,node=4',
        allocated_node_hours: 100,
        used_node_hours: 50,
        remaining_node_hours: 50,
      },
      {
        account: 'proj1',
        user: 'ada',
        fairshare: null,
        qos: ['high', 'normal'],
        allocated_node_hours: 10,
        used_node_hours: 1.5,
        remaining_node_hours: 8.5,
      },
      { account: 'proj2', user: 'ada', used_node_hours: null },
    ]);
  });
});

describe('values of Slurm', () => {
  it.each([
    ['30', 1800],
    ['1:05', 65],
    ['1:00:00', 3600],
    ['2-00', 172_800],
    ['2-01:30', 178_200],
    ['1-02:03:04', 93_784],
    ['UNLIMITED', 'UNLIMITED'],
    ['infinite', 'UNLIMITED'],
    ['NONE', undefined],
    ['', undefined],
  ])('reads the duration %s', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each([
    ['', 0],
    ['(null)', 0],
    ['gpu', 1],
    ['gpu:4', 4],
    ['gpu:a100:4(S:0-1),gpu:2', 6],
    ['shard:8,gpu:a100:1', 1],
  ])('counts the graphics cards of %s', (gres, count) => {
    expect(countGpus(gres)).toBe(count);
  });
});
