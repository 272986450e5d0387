/** Jobs on a real Slurm: the contract of executors, and what is special about Slurm. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JobDetail, jobDetailSchema } from '@gantry/contracts';
import { agentPlugins } from '@gantry/edge-agent';
import { describeJobExecutor } from '@gantry/edge-agent/contract/jobs';
import { type CallInit, type RunningAgent, startAgent } from '@gantry/edge-agent/test-support';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../support/processes.js';
import { type Slurm, startSlurm } from '../support/slurm.js';

let slurm: Slurm;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-slurm-jobs-'));
  slurm = await startSlurm({ nodes: 4 });
});
afterAll(async () => {
  await slurm?.stop();
  await rm(folder, { recursive: true, force: true });
});

const settings = () => ({ slurmConf: slurm.conf, slurmPollSeconds: 1 });

describeJobExecutor({ executor: 'slurm', settings });

const startWith = (extra: Record<string, unknown> = {}) =>
  startAgent(
    agentPlugins.filter(({ name }) => name === 'jobs'),
    { settings: { jobs: { ...settings(), ...extra } } },
  );

const submit = (agent: RunningAgent, spec: Record<string, unknown>, init: CallInit = {}) =>
  agent.call('/jobs/jobs', { json: { executor: 'slurm', spec }, ...init });

const show = async (agent: RunningAgent, id: string): Promise<JobDetail> =>
  jobDetailSchema.parse(await (await agent.call(`/jobs/jobs/${id}`)).json());

const ended = (agent: RunningAgent, id: string) =>
  until(`the end of job ${id}`, async () => {
    const job = await show(agent, id);
    return job.ended_at === null ? undefined : job;
  });

/** Programs of Slurm, with some of them replaced: a folder for `slurmBinFolder`. */
async function programs(name: string, replaced: Readonly<Record<string, string>>): Promise<string> {
  const bin = await mkdtemp(join(folder, name));
  for (const program of ['sbatch', 'squeue', 'scancel', 'scontrol']) {
    const text = replaced[program] ?? `exec /usr/bin/${program} "$@"`;
    await writeFile(join(bin, program), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, program), 0o755);
  }
  return bin;
}

describe('jobs of Slurm', () => {
  it('have all that was asked for', async () => {
    const agent = await startWith();
    try {
      const response = await submit(agent, {
        name: 'with everything',
        executable: '/bin/true',
        directory: folder,
        resources: { nodes: 1, processes: 2, cores_per_process: 1, memory: '512M' },
        duration: 5400,
        queue: 'long',
        hold: true,
        custom_attributes: {
          'slurm.constraint': 'cpu',
          'slurm.comment': 'a "b" $(c)',
          'slurm.requeue': true,
        },
      });
      const { job_id, native_id } = (await response.json()) as { job_id: string; native_id: string };
      expect(response.status).toBe(201);
      const shown = await slurm.command('scontrol', '--oneliner', 'show', 'job', native_id);
      for (const text of [
        'JobName=with everything',
        'NumNodes=1',
        'NumTasks=2',
        'CPUs/Task=1',
        'MinMemoryNode=512M',
        'TimeLimit=01:30:00',
        'Partition=long',
        'Reason=JobHeldUser',
        'Features=cpu',
        'Comment=a "b" $(c)',
        'Requeue=1',
        `WorkDir=${folder}`,
      ])
        expect(shown).toContain(text);
      await agent.call(`/jobs/jobs/${job_id}/cancel`, { method: 'POST' });
    } finally {
      await agent.stop();
    }
  });

  it('start a copy for each process with srun', async () => {
    const agent = await startWith();
    try {
      const response = await submit(agent, {
        executable: '/bin/sh',
        arguments: ['-c', 'echo "$SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME: $0"', "it's"],
        launcher: 'srun',
        resources: { nodes: 2, processes: 2 },
      });
      const { job_id } = (await response.json()) as { job_id: string };
      expect(await ended(agent, job_id)).toMatchObject({ state: 'COMPLETED' });
      const output = await (await agent.call(`/jobs/jobs/${job_id}/output/stdout`)).text();
      const lines = output.trim().split('\n').sort();
      expect(lines).toHaveLength(2);
      expect(lines[0]).toMatch(/^0 of 2 on n\d: it's$/);
      expect(lines[1]).toMatch(/^1 of 2 on n\d: it's$/);
    } finally {
      await agent.stop();
    }
  });

  it('are refused in the words of Slurm, and nothing is left of them', async () => {
    const agent = await startWith();
    try {
      const response = await submit(agent, { executable: '/bin/true', queue: 'nowhere' });
      const problem = (await response.json()) as { code: string; detail: string };
      expect([response.status, problem.code]).toEqual([422, 'scheduler-refused']);
      expect(problem.detail).toMatch(/partition/i);
      expect(await (await agent.call('/jobs/jobs')).json()).toMatchObject({ jobs: [] });
    } finally {
      await agent.stop();
    }
  });

  it('are found again when the answer to the submission was lost: once, and not twice', async () => {
    const bin = await programs('lost-', { sbatch: '/usr/bin/sbatch "$@" >/dev/null\nkill -9 $$' });
    const agent = await startWith({ slurmBinFolder: bin });
    try {
      const response = await submit(agent, {
        executable: '/bin/sh',
        arguments: ['-c', 'exit 5'],
        name: 'answer-was-lost',
      });
      const { job_id, state } = (await response.json()) as { job_id: string; state: string };
      expect([response.status, state]).toEqual([201, 'NEW']);
      expect(await ended(agent, job_id)).toMatchObject({ state: 'FAILED', exit_code: 5 });
      const all = await slurm.command('squeue', '-h', '-t', 'all', '--name=answer-was-lost');
      expect(all.split('\n')).toHaveLength(1);
    } finally {
      await agent.stop();
    }
  });

  it('keep their exit code when Slurm has forgotten them', async () => {
    const [away, forget, gate] = ['away', 'forget', 'forgotten-gate'].map((name) => join(folder, name));
    const squeue = [
      `[ -e ${forget} ] && exit 0`,
      `[ -e ${away} ] && { echo 'squeue: error: Socket timed out' >&2; exit 1; }`,
      'exec /usr/bin/squeue "$@"',
    ].join('\n');
    const agent = await startWith({ slurmBinFolder: await programs('forgetful-', { squeue }) });
    try {
      const wait = `while [ ! -e ${gate} ]; do sleep 0.1; done; exit 9`;
      const response = await submit(agent, { executable: '/bin/sh', arguments: ['-c', wait] });
      const held = await submit(agent, { executable: '/bin/true', hold: true });
      const { job_id, native_id } = (await response.json()) as { job_id: string; native_id: string };
      const { job_id: heldId } = (await held.json()) as { job_id: string };
      await until('the start of the job', async () => (await show(agent, job_id)).state === 'ACTIVE');
      await writeFile(`${away}`, '');
      await writeFile(`${gate}`, '');
      await until('the end of the job', async () => {
        const printed = await slurm.command('squeue', '-h', '-t', 'all', '-j', native_id, '-o', '%T');
        return printed === 'FAILED';
      });
      expect(await show(agent, job_id)).toMatchObject({ state: 'ACTIVE' });
      await writeFile(`${forget}`, '');
      expect(await ended(agent, job_id)).toMatchObject({ state: 'FAILED', exit_code: 9 });
      expect(await ended(agent, heldId)).toMatchObject({
        state: 'FAILED',
        exit_code: null,
        message: 'Slurm has forgotten the job, and it left no exit code',
      });
    } finally {
      await agent.stop();
    }
  });

  it('wait for a controller that is away, and go on when it is back', async () => {
    const agent = await startWith();
    try {
      const response = await submit(agent, { executable: '/bin/sh', arguments: ['-c', 'sleep 1; exit 2'] });
      const { job_id } = (await response.json()) as { job_id: string };
      await slurm.stopController();
      const refused = await submit(agent, { executable: '/bin/true' });
      expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'scheduler-unavailable' }]);
      await until('the agent to notice', async () => {
        const health = (await (await agent.call('/jobs/health')).json()) as { status: string };
        return health.status === 'degraded';
      });
      expect(await (await agent.call('/jobs/jobs')).json()).toMatchObject({ jobs: [{ job_id }] });
      await slurm.startController();
      expect(await ended(agent, job_id)).toMatchObject({ state: 'FAILED', exit_code: 2 });
      const health = await (await agent.call('/jobs/health')).json();
      expect(health).toMatchObject({ status: 'healthy' });
    } finally {
      await agent.stop();
    }
  });
});
