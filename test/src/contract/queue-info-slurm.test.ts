/** The plugin queue-info on a real Slurm with its accounting, and what jobs make of that. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import {
  allocationListSchema,
  type JobDetail,
  queuedJobListSchema,
  queueListSchema,
  queueNodeListSchema,
} from '@gantry/contracts';
import { agentPlugins } from '@gantry/edge-agent';
import { describeAgentPlugin } from '@gantry/edge-agent/contract';
import { type CallInit, type RunningAgent, startAgent } from '@gantry/edge-agent/test-support';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../support/processes.js';
import { type Slurm, startSlurm } from '../support/slurm.js';

const settings: Record<string, unknown> = {};
let slurm: Slurm;
beforeAll(async () => {
  slurm = await startSlurm({ nodes: 3, accounting: true });
  settings['slurmConf'] = slurm.conf;
  for (const command of [
    'add account physics Fairshare=10 GrpTRESMins=node=6000',
    'add account chemistry Fairshare=5',
    `add user ${userInfo().username} Account=physics,chemistry DefaultAccount=physics`,
    `modify user where name=${userInfo().username} account=chemistry set ` +
      'Fairshare=3 MaxJobs=10 MaxSubmit=20 MaxWall=1-00:00:00 GrpTRES=cpu=64 GrpTRESMins=node=600',
    'add qos few MaxJobsPerUser=3',
  ])
    await slurm.command('sacctmgr', '-i', ...command.split(' '));
  const limits = ['maxnodes=7', 'minnodes=1', 'maxcpuspernode=2', 'allowaccounts=physics'];
  await slurm.command('scontrol', 'update', 'partitionname=long', 'qos=few', ...limits);
});
afterAll(() => slurm?.stop());

const plugins = agentPlugins.filter(({ name }) => name === 'queue-info' || name === 'jobs');
const plugin = plugins.find(({ name }) => name === 'queue-info');
if (plugin === undefined) throw new Error('There is no plugin queue-info');
describeAgentPlugin({ plugin, settings });

describe('the batch system of a node', () => {
  let agent: RunningAgent;
  beforeAll(async () => {
    const jobs = { ...settings, slurmPollSeconds: 1 };
    agent = await startAgent(plugins, { settings: { 'queue-info': settings, jobs } });
  });
  afterAll(() => agent.stop());

  const get = async (path: string, init: CallInit = {}): Promise<unknown> => {
    const response = await agent.call(path, init);
    const body: unknown = await response.json();
    expect([path, response.status, body]).toEqual([path, 200, expect.anything()]);
    return body;
  };
  const sleeper = async (user: string) => {
    const spec = { executable: '/bin/sleep', arguments: ['600'], name: `of-${user}` };
    const response = await agent.call('/jobs/jobs', { user, json: { executor: 'slurm', spec } });
    const { job_id, native_id } = (await response.json()) as { job_id: string; native_id: string };
    await until('the start of a job', async () => {
      const job = (await (await agent.call(`/jobs/jobs/${job_id}`, { user })).json()) as { state: string };
      return job.state === 'ACTIVE';
    });
    return { job_id, native_id };
  };

  it('has queues, with what their nodes have', async () => {
    const { queues } = queueListSchema.parse(await get('/queue-info/queues'));
    expect(queues).toMatchObject({
      debug: {
        name: 'debug',
        state: 'UP',
        default: true,
        time_limit: 60,
        nodes_total: 3,
        nodes_available: 3,
        nodes_idle: 3,
        cpus_per_node: 2,
        mem_per_node_mb: 2000,
        gpus_per_node: 0,
        features: ['cpu', 'demo'],
      },
      long: {
        ...{ default: false, time_limit: 'UNLIMITED', nodes_total: 1, max_nodes: 7, max_jobs_per_user: 3 },
        limits: { min_nodes: 1, max_cpus_per_node: 2, allowed_accounts: ['physics'], allowed_qos: null },
      },
    });
    expect(await get('/queue-info/queues/long')).toMatchObject({ name: 'long' });
    const unknown = await agent.call('/queue-info/queues/nowhere');
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: 'queue-not-found' }]);
  });

  it('has nodes', async () => {
    const { nodes } = queueNodeListSchema.parse(await get('/queue-info/nodes?queue=long'));
    expect(nodes).toMatchObject([
      { name: 'n2', state: ['IDLE'], is_idle: true, cpus: 2, queues: ['debug', 'long'] },
    ]);
  });

  it('answers from memory for a minute, unless it is forced', async () => {
    await get('/queue-info/queues?force=1');
    await slurm.command('scontrol', 'update', 'nodename=n1', 'state=drain', 'reason=a test');
    try {
      const cached = queueListSchema.parse(await get('/queue-info/queues'));
      expect(cached.queues['debug']?.nodes_available).toBe(3);
      const fresh = queueListSchema.parse(await get('/queue-info/queues?force=true'));
      expect(fresh.queues['debug']?.nodes_available).toBe(2);
      const { nodes } = queueNodeListSchema.parse(await get('/queue-info/nodes?force=1'));
      expect(nodes.find(({ name }) => name === 'n1')).toMatchObject({
        is_available: false,
        reason: 'a test',
      });
    } finally {
      await slurm.command('scontrol', 'update', 'nodename=n1', 'state=resume');
    }
  });

  it('lists jobs, and lets callers cancel their own', async () => {
    const own = await sleeper('ada');
    const other = await sleeper('bob');
    const list = queuedJobListSchema.parse(await get('/queue-info/jobs?force=1&user=*&queue=debug'));
    expect(list.jobs.find(({ job_id }) => job_id === own.native_id)).toMatchObject({
      job_name: 'of-ada',
      state: 'RUNNING',
      partition: 'debug',
      nodes: 1,
      cpus: 1,
      time_limit: 60,
      node_list: expect.stringMatching(/^n\d$/),
    });
    expect(list.is_complete).toBe(true);
    const asAda: CallInit = { user: 'ada', rights: ['queue-info:cancel'], method: 'POST' };
    const foreign = await agent.call(`/queue-info/jobs/${other.native_id}/cancel`, asAda);
    expect([foreign.status, await foreign.json()]).toMatchObject([403, { code: 'forbidden' }]);
    const cancelled = await agent.call(`/queue-info/jobs/${own.native_id}/cancel`, asAda);
    expect([cancelled.status, await cancelled.json()]).toEqual([
      200,
      { job_id: own.native_id, status: 'canceled' },
    ]);
    const admin: CallInit = {
      user: 'root',
      rights: ['queue-info:cancel', 'queue-info:admin'],
      method: 'POST',
    };
    expect((await agent.call(`/queue-info/jobs/${other.native_id}/cancel`, admin)).status).toBe(200);
    const gone = await agent.call(`/queue-info/jobs/${other.native_id}/cancel`, admin);
    expect([gone.status, await gone.json()]).toMatchObject([404, { code: 'job-not-found' }]);
  });

  it('lists what the accounts of a user may use, and what is left of it', async () => {
    const user = userInfo().username;
    const { allocations } = allocationListSchema.parse(await get('/queue-info/allocations?force=1'));
    const of = (account: string) => allocations.find((one) => one.account === account);
    expect(new Set(allocations.map((one) => one.user))).toEqual(new Set([user]));
    // What the account has is for all of its users; what the user has is for that user.
    expect(of('physics')).toMatchObject({ allocated_node_hours: 100, max_jobs: null, qos: ['normal'] });
    expect(of('chemistry')).toMatchObject({
      ...{ fairshare: 3, max_jobs: 10, max_submit: 20, max_wall: '1-00:00:00', grp_tres: 'cpu=64' },
      ...{ allocated_node_hours: 10, used_node_hours: 0, remaining_node_hours: 10 },
    });
    const { used_node_hours: used, remaining_node_hours: left } = of('physics') ?? {};
    expect((used ?? Number.NaN) + (left ?? Number.NaN)).toBeCloseTo(100, 1);
    const all = allocationListSchema.parse(await get('/queue-info/allocations?user=*'));
    expect(all.allocations.length).toBeGreaterThanOrEqual(allocations.length);
  });

  it('answers an older client in its own words', async () => {
    const { sid } = (await get('/queue_info/register_session', { json: {} })) as { sid: string };
    expect(await get('/queue_info/backend')).toEqual({ backend: 'slurm' });
    expect(await get('/queue_info/job_allocation')).toEqual({ allocation: null });
    expect(await get(`/queue_info/get_info/${sid}?user=&force=True`)).toMatchObject({
      queues: { debug: { name: 'debug', time_limit: 60, nodes_total: 3 } },
    });
    const { native_id } = await sleeper('ada');
    const listed = await get(`/queue_info/list_jobs/${sid}/debug?force=1`);
    expect(listed).toMatchObject({
      jobs: expect.arrayContaining([expect.objectContaining({ job_id: native_id })]),
    });
    expect(await get(`/queue_info/list_all_jobs/${sid}?user=nobody-at-all`)).toMatchObject({ jobs: [] });
    expect(await get(`/queue_info/list_allocations/${sid}`)).toMatchObject({
      allocations: expect.arrayContaining([expect.objectContaining({ account: 'physics' })]),
    });
    expect(await get(`/queue_info/list_allocations/${sid}?user=nobody-at-all`)).toEqual({ allocations: [] });
    expect(await get(`/queue_info/cancel/${sid}/${native_id}`, { method: 'POST' })).toEqual({
      job_id: native_id,
      status: 'canceled',
    });
  });
});

describe('jobs that Slurm has forgotten', () => {
  it('are asked of its accounting; one that is away is waited for', async () => {
    const bin = await mkdtemp(join(tmpdir(), 'gantry-forgetful-'));
    const forget = join(bin, 'forget');
    for (const program of ['sbatch', 'squeue', 'sacct', 'scancel', 'scontrol']) {
      const gone = program === 'squeue' ? `[ -e ${forget} ] && exit 0` : '';
      await writeFile(join(bin, program), `#!/bin/sh\n${gone}\nexec /usr/bin/${program} "$@"\n`);
      await chmod(join(bin, program), 0o755);
    }
    const jobs = { ...settings, slurmPollSeconds: 1, slurmBinFolder: bin };
    const agent = await startAgent(plugins, { settings: { jobs } });
    try {
      const submit = async (script: string, more: object = {}) => {
        const spec = { executable: '/bin/sh', arguments: ['-c', script], ...more };
        const response = await agent.call('/jobs/jobs', { json: { executor: 'slurm', spec } });
        return (await response.json()) as { job_id: string; native_id: string };
      };
      const show = async (id: string) => (await (await agent.call(`/jobs/jobs/${id}`)).json()) as JobDetail;
      const array = await submit('exit "$GANTRY_ARRAY_INDEX"', { array: { indices: '0,3' }, hold: true });
      // Its script says nothing of its end: only the accounting knows.
      const killed = await submit('sleep 600', { hold: true });
      const untold = await submit('sleep 600', { hold: true });
      await writeFile(forget, '');
      await slurm.command('scontrol', 'release', array.native_id);
      await slurm.command('scancel', killed.native_id);
      await until('the ends of the jobs', async () => {
        const printed = await slurm.command('squeue', '-h', '-o', '%i');
        return !printed.includes(array.native_id) && !printed.includes(killed.native_id);
      });
      const ended = (id: string) =>
        until('the end of a job', async () => {
          const job = await show(id);
          return job.ended_at === null ? undefined : job;
        });
      const done = await ended(array.job_id);
      expect(done.tasks.map(({ state, exit_code }) => [state, exit_code])).toEqual([
        ['COMPLETED', 0],
        ['FAILED', 3],
      ]);
      expect(await ended(killed.job_id)).toMatchObject({ state: 'CANCELED', started_at: null });
      await slurm.stopAccounting();
      // Its end is in a file, so nobody has to be asked.
      const short = await submit('exit 5');
      expect(await ended(short.job_id)).toMatchObject({ state: 'FAILED', exit_code: 5 });
      expect(await show(untold.job_id)).toMatchObject({
        state: 'QUEUED',
        message: 'Slurm: waits (JobHeldUser)',
      });
      await slurm.startAccounting();
      await rm(forget);
      await slurm.command('scancel', untold.native_id);
      expect(await ended(untold.job_id)).toMatchObject({ state: 'CANCELED' });
    } finally {
      await agent.stop();
      await rm(bin, { recursive: true, force: true });
    }
  });
});
