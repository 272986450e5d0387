/** Jobs and queues from the command line and the client, through the bridge, on the node of the embedded platform. */
import { GantryClient } from '@gantry/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runGantry } from '../support/command-line.js';
import { type Platform, startPlatform } from '../support/platform.js';
import { until } from '../support/processes.js';

let platform: Platform;
beforeAll(async () => {
  // Functions are not part of this.
  platform = await startPlatform({ GANTRY_LOCAL_AGENT: 'true', GANTRY_RUNTIME_ISOLATION: 'process' });
  await until('the local node', async () => {
    const { stdout } = await runGantry(['nodes', 'ls', '--json'], platform);
    return /"state": "connected"/.test(stdout);
  });
});
afterAll(() => platform?.stop());

interface Job {
  readonly job_id: string;
  readonly state: string;
  readonly exit_code: number | null;
}
const json = async (...args: readonly string[]): Promise<unknown> => {
  const { code, stdout, output } = await runGantry(['--json', ...args], platform);
  expect([args, code, output]).toEqual([args, 0, output]);
  return JSON.parse(stdout);
};
const submit = async (...args: readonly string[]) => (await json('jobs', 'submit', ...args)) as Job;

describe('gantry jobs', () => {
  it('submits a program, follows its output to the end, and shows how it ended', async () => {
    const { job_id } = await submit(
      '--name',
      'first',
      '--env',
      'A=b c',
      '--',
      '/bin/sh',
      '-c',
      'sleep 1; echo "$A-$1"; exit 3',
      'sh',
      '$HOME',
    );
    const followed = await runGantry(['jobs', 'logs', '-f', job_id], platform);
    expect([followed.code, followed.stdout]).toEqual([0, 'b c-$HOME\n']);
    expect(followed.output).toContain('The job ended as FAILED');
    const shown = await until('the end of the job', async () => {
      const job = (await json('jobs', 'show', job_id)) as Job;
      return job.exit_code === null ? undefined : job;
    });
    expect(shown).toMatchObject({ job_id, name: 'first', state: 'FAILED', exit_code: 3, owner: 'admin' });
    const listed = await runGantry(['jobs', 'ls'], platform);
    expect(listed.stdout).toMatch(new RegExp(`${job_id} .*first .*local .*FAILED .*3 `));
  });

  it('prints the ID of a job alone, for scripts', async () => {
    const { code, stdout, output } = await runGantry(['jobs', 'submit', '--', 'true'], platform);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\S+\n$/)]);
    expect(output).toContain(', local');
    expect(await json('jobs', 'show', stdout.trim())).toMatchObject({ executable: 'true' });
  });

  it('cancels a job', async () => {
    const { job_id } = await submit('--', 'sleep', '600');
    expect(await json('jobs', 'cancel', job_id)).toMatchObject({ job_id, state: 'CANCELED' });
    const again = await runGantry(['jobs', 'logs', 'no-such-job'], platform);
    expect([again.code, again.output]).toEqual([1, expect.stringContaining('job-not-found')]);
  });

  it('says what a job must not ask for', async () => {
    const refused = await runGantry(['jobs', 'submit', '--queue', 'debug', '--', 'true'], platform);
    expect([refused.code, refused.output]).toEqual([2, expect.stringContaining('queue: the executor local')]);
    const nothing = await runGantry(['jobs', 'submit'], platform);
    expect([nothing.code, nothing.output]).toEqual([2, expect.stringContaining('name the program to run')]);
  });
});

describe('the client', () => {
  it('holds, releases and follows a job, and forgets it', async () => {
    const credentials = { name: 'admin', password: platform.adminPassword };
    const bridge = new GantryClient({ cloudUrl: platform.cloudUrl, credentials }).bridge(platform.bridgeUrl);
    const [node] = await bridge.nodes.list().toArray(1);
    const jobs = bridge.node(node?.name ?? '').plugin('jobs');
    const spec = { executable: '/bin/echo', arguments: ['ä'], hold: true, name: 'by-client' };
    const { job_id } = await jobs.submit(spec, { idempotencyKey: 'once' });
    expect((await jobs.submit(spec, { idempotencyKey: 'once' })).job_id).toBe(job_id);
    const all = await jobs.list({ name: 'by-client', state: ['NEW', 'QUEUED'] }).toArray(10);
    expect(all).toMatchObject([{ job_id, is_held: true }]);
    expect(await jobs.release(job_id)).toMatchObject({ is_held: false });
    await expect(jobs.hold('no-such-job')).rejects.toMatchObject({ code: 'job-not-found', status: 404 });
    const states: string[] = [];
    for await (const { state } of jobs.events(job_id)) states.push(state);
    expect(states).toEqual(['QUEUED', 'ACTIVE', 'COMPLETED']);
    const pieces: Uint8Array[] = [];
    for await (const piece of jobs.output(job_id)) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe('ä\n');
    await jobs.remove(job_id);
    await expect(jobs.show(job_id)).rejects.toMatchObject({ code: 'job-not-found' });
  });
});

describe('gantry queues', () => {
  it('says so when there is no batch system that answers', async () => {
    const { code, output } = await runGantry(['queues'], platform);
    expect([code, output]).toEqual([
      expect.anything(),
      expect.stringMatching(/scheduler-unavailable|queue-info/),
    ]);
    expect(code).not.toBe(0);
  });
});
