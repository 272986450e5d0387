/**
 * The client SDK of RADICAL Edge, unmodified as far as a bridge can tell, with one of our nodes: every call that it has
 * for sysinfo, psij, queue_info and staging, on a real Slurm and with jobs of the machine itself.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { agentProgram } from '@gantry/edge-agent/program';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { agentEnv, startBridge, type TestBridge } from '../support/bridge.js';
import {
  type Notification,
  OriginalBridgeClient,
  type OriginalPluginClient,
} from '../support/original-sdk.js';
import { type Running, startNode, until } from '../support/processes.js';
import { type Slurm, startSlurm } from '../support/slurm.js';

let slurm: Slurm;
let bridge: TestBridge;
let folder: string;
let agent: Running;
let ada: OriginalBridgeClient;
let bob: OriginalBridgeClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-sdk-'));
  await mkdir(join(folder, 'shared'));
  [slurm, bridge] = await Promise.all([startSlurm({ nodes: 2 }), startBridge()]);
  await writeFile(join(folder, 'token'), await bridge.enrol('hpc', 'ada'), { mode: 0o600 });
  const plugins = {
    jobs: { slurmConf: slurm.conf, slurmPollSeconds: 1 },
    'queue-info': { slurmConf: slurm.conf },
    files: { roots: [{ name: 'shared', path: join(folder, 'shared'), writable: true }] },
  };
  // JSON is YAML.
  await writeFile(join(folder, 'plugins.yaml'), JSON.stringify(plugins));
  await startAgent();
  const grants = [{ user: 'bob', rights: ['jobs:read', 'jobs:submit', 'jobs:cancel'] }];
  await bridge.call('/v1/nodes/hpc/grants', { user: 'ada', method: 'PUT', json: grants });
  ada = new OriginalBridgeClient(`${bridge.url}/t/${await bridge.tokenOf('ada')}`);
  bob = new OriginalBridgeClient(`${bridge.url}/t/${await bridge.tokenOf('bob')}`);
});
afterAll(async () => {
  ada?.close();
  bob?.close();
  await agent?.stop();
  await bridge?.stop();
  await slurm?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function startAgent(): Promise<void> {
  agent = startNode(agentProgram, [], {
    ...agentEnv(bridge.url, 'hpc', join(folder, 'agent'), join(folder, 'token')),
    GANTRY_AGENT_PLUGINS_FILE: join(folder, 'plugins.yaml'),
  });
  await until('the node to be connected with its plugins', async () => {
    const list = await (await bridge.call('/edges', { user: 'ada' })).json();
    return JSON.stringify(list).includes('queue_info');
  });
}

interface Status {
  readonly state: string;
  readonly stdout: string;
  readonly stdout_offset: number;
}
const shell = (script: string) => ({ executable: '/bin/sh', arguments: ['-c', script] });
const submit = async (psij: OriginalPluginClient, job_spec: object, executor: string) =>
  (await psij.post('submit/{sid}', { job_spec, executor })) as { job_id: string; native_id: string };
const isOver = (state: unknown) => ['COMPLETED', 'FAILED', 'CANCELED'].includes(String(state));
const ended = (psij: OriginalPluginClient, id: string) =>
  until('the end of a job', async () => {
    const status = await psij.get(`status/{sid}/${id}`, { stdout_offset: 0, stderr_offset: 0 });
    return isOver(status['state']) ? status : undefined;
  });

describe('the SDK of RADICAL Edge', () => {
  it('finds the plugins under the names that it knows, and what every one of them answers', async () => {
    const edges = await ada.listEdges();
    for (const name of ['sysinfo', 'psij', 'queue_info', 'staging']) {
      expect(edges['hpc']?.plugins[name]).toMatchObject({
        ...{ type: name, namespace: `/hpc/${name}`, enabled: true, version: expect.any(String) },
        ui_config: expect.objectContaining({ title: expect.any(String) }),
      });
      const plugin = await ada.plugin('hpc', name);
      const { version } = await plugin.get('version');
      expect(await plugin.get('health')).toEqual({
        ...{ status: 'healthy', plugin: name, version },
        ...{ uptime_seconds: expect.any(Number), active_sessions: 1 },
      });
      expect(await plugin.get('list_sessions')).toEqual({ sessions: [plugin.sid] });
      expect(await plugin.get('ui_config')).toMatchObject({
        plugin_name: name,
        instance_name: name,
        version,
      });
      expect(await plugin.close()).toEqual({ ok: true });
      await expect(plugin.close()).rejects.toThrow(
        `HTTP 404 — [hpc/${name}] — unknown session id: ${plugin.sid}`,
      );
    }
    await expect(ada.call('GET', '/nowhere/sysinfo/version')).rejects.toThrow('HTTP 404');
    await expect(ada.call('GET', '/hpc/rhapsody/version')).rejects.toThrow('HTTP 404');
  });

  it('reads the machine', async () => {
    const sysinfo = await ada.plugin('hpc', 'sysinfo');
    expect(await sysinfo.get('homedir')).toEqual({ homedir: homedir() });
    expect(await sysinfo.get('host_role')).toEqual({ role: 'login', scheduler: null, job_id: null });
    expect(await sysinfo.get('metrics/{sid}')).toMatchObject({
      system: { hostname: expect.any(String), uptime: expect.any(Number), kernel: expect.any(String) },
      cpu: { cores_logical: expect.any(Number), percent: expect.any(Number), load_avg: expect.any(Array) },
      memory: { total: expect.any(Number), available: expect.any(Number), percent: expect.any(Number) },
      ...{ disks: expect.any(Array), network: expect.any(Array), gpus: expect.any(Array) },
    });
  });

  it.each(['local', 'slurm'])('submits, follows, lists and cancels jobs of %s', async (executor) => {
    const psij = await ada.plugin('hpc', 'psij');
    const gate = join(folder, `gate-${executor}`);
    const spec = {
      ...shell(`echo one; while [ ! -e ${gate} ]; do sleep 0.1; done; echo "$WORD"; echo oops >&2; exit 3`),
      directory: folder,
      environment: { WORD: '$(id) "two"' },
      attributes: { duration: '600' },
      custom_attributes: {},
    };
    const { job_id, native_id } = await submit(psij, spec, executor);
    const poll = async (offset: number) =>
      (await psij.get(`status/{sid}/${job_id}`, {
        stdout_offset: offset,
        stderr_offset: 0,
      })) as unknown as Status;
    const first = await until('the first output', async () => {
      const status = await poll(0);
      return status.stdout === '' || status.state === 'QUEUED' ? undefined : status;
    });
    expect(first).toMatchObject({ state: 'ACTIVE', stdout: 'one\n', stdout_offset: 4 });
    await writeFile(gate, '');
    await ended(psij, job_id);
    expect(await poll(4)).toEqual({
      ...{ job_id, native_id, state: 'FAILED', exit_code: 3, executor, directory: folder, duration: 600 },
      ...{ message: null, time: expect.any(Number), executable: '/bin/sh', arguments: spec.arguments },
      ...{ queue_name: null, account: null, node_count: null },
      ...{ stdout: '$(id) "two"\n', stderr: 'oops\n', stdout_offset: 16, stderr_offset: 5 },
      ...(executor === 'slurm' ? { message: 'Slurm: FAILED' } : {}),
    });
    const long = await submit(psij, { executable: '/bin/sleep', arguments: ['600'] }, executor);
    expect(await psij.post(`cancel/{sid}/${long.job_id}`)).toEqual({
      job_id: long.job_id,
      status: 'canceled',
    });
    const listed = (await psij.get('list_jobs/{sid}'))['jobs'] as { job_id: string; state: string }[];
    expect(new Map(listed.map((job) => [job.job_id, job.state]))).toEqual(
      new Map([
        [job_id, 'FAILED'],
        [long.job_id, 'CANCELED'],
      ]),
    );
    await expect(submit(psij, { executable: '/bin/true', walltime: 5 }, executor)).rejects.toThrow(
      /^HTTP 422 — \[hpc\/psij\] .*walltime/,
    );
    await expect(submit(psij, { executable: '/bin/true' }, 'pbs')).rejects.toThrow('no executor "pbs"');
    await expect(psij.get('status/{sid}/no-such-job')).rejects.toThrow('HTTP 404');
  });

  it('starts an edge service, and is told why there is no tunnel', async () => {
    const psij = await ada.plugin('hpc', 'psij');
    const body = { job_spec: { executable: '/bin/true', arguments: ['--name', 'child'] }, executor: 'local' };
    expect(await psij.post('submit_tunneled/{sid}', { ...body, tunnel: false })).toMatchObject({
      ...{ edge_name: 'child', job_id: expect.any(String), native_id: expect.any(String) },
    });
    expect(await psij.get('tunnel_status/child')).toMatchObject({ edge_name: 'child', status: 'no_tunnel' });
    await expect(psij.post('submit_tunneled/{sid}', { ...body, tunnel: true })).rejects.toThrow(
      /^HTTP 501 — \[hpc\/psij\] .*ssh tunnels/,
    );
  });

  it('reads the queues of Slurm, and cancels a job there', async () => {
    const queues = await ada.plugin('hpc', 'queue_info');
    const psij = await ada.plugin('hpc', 'psij');
    expect(await queues.get('backend')).toEqual({ backend: 'slurm' });
    expect(await queues.get('job_allocation')).toEqual({ allocation: null });
    expect(await queues.get('get_info/{sid}', { user: null, force: true })).toMatchObject({
      queues: {
        debug: {
          name: 'debug',
          state: 'UP',
          time_limit: 60,
          default: true,
          nodes_total: 2,
          cpus_per_node: 2,
        },
        long: { time_limit: 'UNLIMITED' },
      },
    });
    const { job_id, native_id } = await submit(
      psij,
      { executable: '/bin/sleep', arguments: ['600'] },
      'slurm',
    );
    for (const path of ['list_jobs/{sid}/debug', 'list_all_jobs/{sid}'])
      expect(await queues.get(path, { user: userInfo().username, force: true })).toMatchObject({
        jobs: [
          { job_id: native_id, partition: 'debug', user: userInfo().username, nodes: 1, time_limit: 60 },
        ],
      });
    expect(await queues.get('list_allocations/{sid}', { user: null, force: false })).toEqual({
      allocations: [],
    });
    expect(await queues.post(`cancel/{sid}/${native_id}`)).toEqual({ job_id: native_id, status: 'canceled' });
    expect(await ended(psij, job_id)).toMatchObject({ state: 'CANCELED' });
    await expect(queues.post('cancel/{sid}/4000000000')).rejects.toThrow('HTTP 404');
  });

  it('moves files', async () => {
    const staging = await ada.plugin('hpc', 'staging');
    const path = join(folder, 'shared', 'a b.bin');
    const content = Buffer.from([0, 255, 10, 13]).toString('base64');
    expect(await staging.post('put/{sid}', { filename: path, content, overwrite: false })).toEqual({
      path,
      size: 4,
    });
    await expect(staging.post('put/{sid}', { filename: path, content, overwrite: false })).rejects.toThrow(
      'HTTP 409',
    );
    expect(await staging.post('get/{sid}', { filename: path })).toEqual({ path, size: 4, content });
    expect(await staging.post('list/{sid}', { path: join(folder, 'shared') })).toEqual({
      path: join(folder, 'shared'),
      entries: [{ name: 'a b.bin', type: 'file', size: 4 }],
    });
    await expect(staging.post('get/{sid}', { filename: join(folder, 'shared', 'no') })).rejects.toThrow(
      'HTTP 404',
    );
  });

  it('keeps sessions and jobs to their creators, whatever number a request has', async () => {
    const [own, other] = [await ada.plugin('hpc', 'psij'), await bob.plugin('hpc', 'psij')];
    const { job_id } = await submit(own, { executable: '/bin/true' }, 'local');
    await expect(bob.call('GET', `/hpc/psij/list_jobs/${own.sid}`)).rejects.toThrow('HTTP 404');
    await expect(other.get(`status/{sid}/${job_id}`)).rejects.toThrow('HTTP 404');
    await expect(other.post(`cancel/{sid}/${job_id}`)).rejects.toThrow('HTTP 404');
    expect(await other.get('list_jobs/{sid}')).toEqual({ jobs: [] });
    expect(await other.get('list_sessions')).toEqual({ sessions: [other.sid] });
    // Two scripts that start at the same time number their requests alike.
    const token = await bridge.tokenOf('ada');
    const answers = await Promise.all(
      Array.from({ length: 8 }, async (_, at) => {
        const script = new OriginalBridgeClient(`${bridge.url}/t/${token}`);
        return script.call('GET', `/hpc/psij/tunnel_status/edge-${at}`);
      }),
    );
    expect(answers.map(({ edge_name }) => edge_name)).toEqual(answers.map((_, at) => `edge-${at}`));
  });

  it.each(['local', 'slurm'])(
    'hears of each step of a job of %s once and in order, also when the agent is killed between two',
    async (executor) => {
      const heard: Notification[] = [];
      const overheard: Notification[] = [];
      await ada.listen((one) => heard.push(one));
      await bob.listen((one) => overheard.push(one));
      const psij = await ada.plugin('hpc', 'psij');
      const gate = join(folder, `kill-gate-${executor}`);
      const spec = shell(`echo out; while [ ! -e ${gate} ]; do sleep 0.1; done; echo end; exit 2`);
      const { job_id } = await submit(psij, spec, executor);
      // A client is called back under the name that it knows the plugin by.
      const ofJob = (list: readonly Notification[]) =>
        list.filter(
          ({ plugin, topic, data }) =>
            plugin === 'psij' && topic === 'job_status' && data['job_id'] === job_id,
        );
      await until('the start of the job', () => ofJob(heard).some(({ data }) => data['state'] === 'ACTIVE'));
      await agent.stop('SIGKILL');
      await writeFile(gate, '');
      await startAgent();
      await until('the end of the job', () => ofJob(heard).some(({ data }) => isOver(data['state'])));
      // Another job's end is behind everything that could still come of this one.
      const again = await ada.plugin('hpc', 'psij');
      const later = await submit(again, { executable: '/bin/true' }, executor);
      await until('the end of the later job', () =>
        heard.some(({ data }) => data['job_id'] === later.job_id && isOver(data['state'])),
      );
      expect(
        ofJob(heard).map(({ edge, data }) => [edge, data['state'], data['exit_code'], data['stdout']]),
      ).toEqual([
        ['hpc', 'QUEUED', null, ''],
        ['hpc', 'ACTIVE', null, ''],
        ['hpc', 'FAILED', 2, 'out\nend\n'],
      ]);
      expect(overheard.filter(({ plugin }) => plugin === 'psij' || plugin === 'jobs')).toEqual([]);
      // The job is there for a new session too: the old one ended with the process that was killed.
      await expect(psij.get(`status/{sid}/${job_id}`)).rejects.toThrow('HTTP 404');
      expect(await ended(again, job_id)).toMatchObject({ exit_code: 2, stdout: 'out\nend\n' });
      ada.close();
      bob.close();
    },
  );
});
