/** Jobs on a real Slurm: the contract of executors, and what is special about Slurm. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
  slurm = await startSlurm({ nodes: 4, gpus: 2 });
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
    await slurm.command(
      ...['scontrol', 'create', 'reservation', 'reservationname=morning', 'users=root', 'nodes=n0'],
      ...['starttime=now', 'duration=60'],
    );
    const agent = await startWith();
    try {
      const whole = await submit(agent, {
        name: 'with everything',
        executable: '/bin/sh',
        arguments: ['-c', 'echo "$A"; echo "$SLURM_JOB_RESERVATION" >&2'],
        directory: folder,
        environment: { A: 'b' },
        stdin_path: '/dev/null',
        stdout_path: 'out {index}',
        stderr_path: 'err 100%j {index}',
        resources: {
          ...{ nodes: 1, processes: 2, processes_per_node: 2, cores_per_process: 1, gpus_per_process: 1 },
          ...{ memory: '512M', exclusive: true },
        },
        duration: 1800,
        queue: 'debug',
        account: 'physics',
        reservation: 'morning',
        constraints: 'cpu&demo',
        hold: true,
        array: { indices: '1-5:2', max_running: 2 },
        custom_attributes: { 'slurm.comment': 'a "b" $(c)', 'slurm.requeue': false, 'slurm.nice': 7 },
      });
      const { job_id, native_id } = (await whole.json()) as { job_id: string; native_id: string };
      expect(whole.status).toBe(201);
      const shown = await slurm.command('scontrol', '--oneliner', 'show', 'job', native_id);
      for (const text of [
        'JobName=with everything',
        'Account=physics',
        'Reservation=morning',
        'ArrayTaskId=1,3,5%2',
        'NumNodes=1',
        'NumTasks=2',
        'NtasksPerN:B:S:C=2:0:*:*',
        'CPUs/Task=1',
        'TresPerTask=gres:gpu:1',
        'MinMemoryNode=512M',
        'OverSubscribe=NO',
        'TimeLimit=00:30:00',
        'Partition=debug',
        'Reason=JobHeldUser',
        'Features=cpu&demo',
        'Comment=a "b" $(c)',
        'Requeue=0',
        'Nice=7',
        `WorkDir=${folder}`,
        'StdIn=/dev/null',
      ])
        expect(shown).toContain(text);
      await agent.call(`/jobs/jobs/${job_id}/release`, { method: 'POST' });
      const done = await ended(agent, job_id);
      expect([done.state, done.tasks.map(({ exit_code }) => exit_code)]).toEqual(['COMPLETED', [0, 0, 0]]);
      expect(await readFile(join(folder, 'out 3'), 'utf8')).toBe('b\n');
      expect(await readFile(join(folder, 'err 100%j 5'), 'utf8')).toBe('morning\n');
      const filtered = await agent.call('/jobs/jobs?queue=debug&executor=slurm');
      expect(await filtered.json()).toMatchObject({ jobs: [{ job_id, queue: 'debug', account: 'physics' }] });
    } finally {
      await agent.stop();
      await slurm.command('scancel', '--reservation=morning');
      // A node may still be busy with cleaning up.
      await until('the end of the reservation', () =>
        slurm.command('scontrol', 'delete', 'reservationname=morning').then(
          () => true,
          () => false,
        ),
      );
    }
  });

  it('say what they wait for', async () => {
    const agent = await startWith();
    try {
      const response = await submit(agent, {
        executable: '/bin/true',
        custom_attributes: { 'slurm.begin': 'now+1hour' },
      });
      const { job_id } = (await response.json()) as { job_id: string };
      await until('the reason', async () => {
        const { state, message } = await show(agent, job_id);
        return state === 'QUEUED' && message === 'Slurm: waits (BeginTime)';
      });
      await agent.call(`/jobs/jobs/${job_id}/cancel`, { method: 'POST' });
      expect(await ended(agent, job_id)).toMatchObject({ state: 'CANCELED' });
    } finally {
      await agent.stop();
    }
  });

  it('are looked at also when one of them cannot be canceled', async () => {
    const stubborn = join(folder, 'stubborn');
    const scancel = `[ "$1" = "$(cat ${stubborn})" ] && { echo 'scancel: error: Access/permission denied' >&2; exit 1; }
exec /usr/bin/scancel "$@"`;
    const agent = await startWith({ slurmBinFolder: await programs('stubborn-', { scancel }) });
    try {
      const long = await submit(agent, { executable: '/bin/sleep', arguments: ['600'] });
      const first = (await long.json()) as { job_id: string; native_id: string };
      await writeFile(stubborn, first.native_id);
      const leave = new AbortController();
      const canceling = agent.call(`/jobs/jobs/${first.job_id}/cancel`, {
        method: 'POST',
        signal: leave.signal,
      });
      canceling.catch(() => undefined);
      const short = await submit(agent, { executable: '/bin/sh', arguments: ['-c', 'exit 4'] });
      const { job_id } = (await short.json()) as { job_id: string };
      expect(await ended(agent, job_id)).toMatchObject({ state: 'FAILED', exit_code: 4 });
      expect(await show(agent, first.job_id)).toMatchObject({ is_canceling: true });
      await until('the health to say so', async () => {
        const health = (await (await agent.call('/jobs/health')).json()) as { detail?: string };
        return health.detail?.includes('Access/permission denied');
      });
      leave.abort();
      // It is asked again with every look.
      await writeFile(stubborn, '');
      expect(await ended(agent, first.job_id)).toMatchObject({ state: 'CANCELED' });
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

  it('are known when the answer was lost and Slurm has forgotten them meanwhile', async () => {
    const bin = await programs('lost-and-forgotten-', {
      sbatch: '/usr/bin/sbatch "$@" >/dev/null\nkill -9 $$',
      squeue: 'exit 0',
    });
    const agent = await startWith({ slurmBinFolder: bin });
    try {
      const response = await submit(agent, { executable: '/bin/sh', arguments: ['-c', 'exit 6'] });
      const { job_id } = (await response.json()) as { job_id: string };
      expect(await ended(agent, job_id)).toMatchObject({
        state: 'FAILED',
        exit_code: 6,
        native_id: expect.stringMatching(/^\d+$/),
      });
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
