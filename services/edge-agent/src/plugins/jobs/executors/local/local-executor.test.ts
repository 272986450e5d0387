import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JobDetail, jobDetailSchema } from '@gantry/contracts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeJobExecutor } from '../../../../contract/job-executor.contract.js';
import { type RunningAgent, startAgent } from '../../../../test-support/start-agent.js';
import { jobsPlugin } from '../../index.js';
import { findProcesses } from './process-table.js';
import { spawnFailure } from './start-task.js';

describeJobExecutor({ executor: 'local', settings: () => ({ localKillGraceSeconds: 1 }) });

describe('jobs as processes of the machine', () => {
  let running: RunningAgent;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-local-jobs-'));
    const settings = { jobs: { localMaxRunning: 1, localKillGraceSeconds: 1, maxOpenJobsPerUser: 3 } };
    running = await startAgent([jobsPlugin], { settings });
  });
  afterAll(async () => {
    await running.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const post = (spec: Record<string, unknown>, user = 'ada') =>
    running.call('/jobs/jobs', { user, json: { executor: 'local', spec } });
  const submit = async (text: string, extra: Record<string, unknown> = {}) => {
    const response = await post({ executable: '/bin/sh', arguments: ['-c', text], ...extra });
    expect(response.status).toBe(201);
    return ((await response.json()) as { job_id: string }).job_id;
  };
  const until = async (id: string, isWanted: (job: JobDetail) => boolean) => {
    const giveUpMs = performance.now() + 60_000;
    for (;;) {
      const job = jobDetailSchema.parse(await (await running.call(`/jobs/jobs/${id}`)).json());
      if (isWanted(job)) return job;
      if (performance.now() > giveUpMs) throw new Error(`The job is ${JSON.stringify(job)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const ended = (id: string) => until(id, ({ ended_at }) => ended_at !== null);

  it('ends a job at its time limit', async () => {
    const job = await ended(await submit('sleep 600', { duration: 1 }));
    expect(job).toMatchObject({ state: 'FAILED', message: 'It reached its time limit of 1 s' });
  });

  it('runs no more at a time than it may; the others wait their turn', async () => {
    const order = join(folder, 'order');
    const gate = join(folder, 'gate');
    const first = await submit(`while [ ! -e ${gate} ]; do sleep 0.1; done; echo 1 >>${order}`);
    const second = await submit(`echo 2 >>${order}`);
    const third = await submit(`echo 3 >>${order}`);
    await until(first, ({ state }) => state === 'ACTIVE');
    expect((await until(third, ({ state }) => state !== 'NEW')).state).toBe('QUEUED');
    const tooMany = await post({ executable: '/bin/true' });
    expect([tooMany.status, await tooMany.json()]).toMatchObject([429, { code: 'too-many-concurrent' }]);
    await writeFile(gate, '');
    for (const id of [first, second, third]) expect(await ended(id)).toMatchObject({ state: 'COMPLETED' });
    expect(await readFile(order, 'utf8')).toBe('1\n2\n3\n');
  });

  it('ends what a job leaves running behind it', async () => {
    const id = await submit('setsid sleep 600 & exit 0');
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit_code: 0 });
    expect(findProcesses(`GANTRY_TASK=${id}`, undefined)).toEqual([]);
  });

  it('says so when a job was killed by somebody else', async () => {
    const id = await submit('kill -9 $$');
    expect(await ended(id)).toMatchObject({
      state: 'FAILED',
      exit_code: 137,
      message: 'It was ended by signal 9',
    });
    const whole = await submit('kill -9 0');
    expect(await ended(whole)).toMatchObject({ state: 'FAILED', exit_code: null });
  });

  it('refuses what it cannot do, field by field', async () => {
    const response = await post({
      executable: '/bin/true',
      queue: 'debug',
      account: 'proj1',
      reservation: 'r',
      constraints: 'demo',
      launcher: 'srun',
      resources: {
        nodes: 2,
        processes: 2,
        cores_per_process: cpus().length + 1000,
        gpus_per_process: 1,
        memory: '50M',
      },
    });
    expect(response.status).toBe(422);
    const { errors } = (await response.json()) as { errors: { pointer: string; detail: string }[] };
    const fields = errors.map(({ pointer }) => pointer.replace('/body/spec/', ''));
    const memory = errors.find(({ pointer }) => pointer === '/body/spec/resources/memory');
    expect(memory).toMatchObject({ detail: expect.stringContaining('resources/memory: the executor local') });
    expect(fields.sort((a, b) => a.localeCompare(b))).toEqual([
      'account',
      'constraints',
      'launcher',
      'queue',
      'reservation',
      'resources/cores_per_process',
      'resources/gpus_per_process',
      'resources/memory',
      'resources/nodes',
      'resources/processes',
    ]);
  });

  it('says which program was not found, in words of its own', async () => {
    const locked = join(folder, 'locked');
    await mkdir(locked, { mode: 0o000 });
    const environment = { PATH: `${locked}:/usr/bin:/bin` };
    for (const executable of ['no-such-program', join(folder, 'no-such-program')]) {
      const answer = await post({ executable, environment });
      const { job_id } = (await answer.json()) as { job_id: string };
      expect(await ended(job_id)).toMatchObject({
        state: 'FAILED',
        exit_code: 127,
        message: 'The executable was not found (127)',
      });
      const output = await running.call(`/jobs/jobs/${job_id}/output/stderr`);
      expect(await output.text()).toBe(`${executable}: not found\n`);
    }
    const found = await ended(await submit('exit 3', { environment }));
    expect(found).toMatchObject({ state: 'FAILED', exit_code: 3 });
    await writeFile(join(folder, 'no-program'), 'text', { mode: 0o600 });
    const data = await post({ executable: './no-program', directory: folder });
    expect(await ended(((await data.json()) as { job_id: string }).job_id)).toMatchObject({ exit_code: 126 });
  });

  it('names the folder in which a job cannot be started', async () => {
    const directory = join(folder, 'not-there');
    const message = `the directory ${directory} is not there`;
    const answer = await post({ executable: '/bin/true', directory });
    const { job_id } = (await answer.json()) as { job_id: string };
    expect(await ended(job_id)).toMatchObject({ state: 'FAILED', message });
    const denied = Object.assign(new Error('spawn /bin/sh EACCES'), { code: 'EACCES' });
    expect(spawnFailure(denied, '/home/eve')).toBe('the directory /home/eve cannot be entered: EACCES');
  });

  it('forgets a job and its output when it is told to, once it has ended', async () => {
    const id = await submit('sleep 600');
    await until(id, ({ state }) => state === 'ACTIVE');
    const early = await running.call(`/jobs/jobs/${id}`, { method: 'DELETE' });
    expect([early.status, await early.json()]).toMatchObject([409, { code: 'job-not-finished' }]);
    await running.call(`/jobs/jobs/${id}/cancel`, { method: 'POST' });
    await ended(id);
    expect((await running.call(`/jobs/jobs/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await running.call(`/jobs/jobs/${id}`)).status).toBe(404);
  });
});
