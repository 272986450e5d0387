/** Runtimes that are started and drained by hand: over HTTP, by the command line, as processes and inside the platform. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { checkedFetch } from '../support/checked-fetch.js';
import { type Device, newDevice, resultOf } from '../support/device.js';
import { type Distributed, startDistributed } from '../support/distributed.js';
import { gantry, newDataDir, type Platform, startPlatform } from '../support/platform.js';
import { startPostgres } from '../support/postgres.js';
import { isRunning, startNode, until } from '../support/processes.js';
import { startRabbitMq } from '../support/rabbitmq.js';

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly pid: number;
  readonly running: number;
  readonly log_file: string;
}

const sleepThenEcho =
  'export default async (ms, value) => { await new Promise((resolve) => setTimeout(resolve, ms)); return value; };';

const scale = (edgeUrl: string, token: string, count: number) =>
  checkedFetch(`${edgeUrl}/v1/scale?target_cardinality=${count}&flavour=Nature`, {
    method: 'POST',
    headers: { token },
  });

/** Runs a command to its end. */
const cli = async (env: Readonly<Record<string, string>>, ...args: string[]) => {
  const running = startNode(gantry, ['--json', ...args], env);
  const code = await running.ended;
  const json = () => {
    if (running.stdout() === '') throw new Error(`ended with ${code}: ${running.output()}`);
    return JSON.parse(running.stdout());
  };
  return { code, json };
};

/** Calls without a pause, several at once, until it is told to stop; every call has to come back with its own value. */
function startLoad(device: Device, ids: { functionId: number; requirementId: number }) {
  let isOver = false;
  let calls = 0;
  const wrong: string[] = [];
  const call = async () => {
    calls += 1;
    const value = calls;
    const answer = await device.execute(ids.functionId, ids.requirementId, [20, value]);
    const isRight = answer.status === 200 && answer.json.ret_code === 0 && resultOf(answer.json) === value;
    if (!isRight) wrong.push(`${answer.status} ${answer.text}`);
  };
  const workers = Array.from({ length: 8 }, async () => {
    while (!isOver) await call();
  });
  return {
    count: () => calls,
    wrong,
    end: async () => {
      isOver = true;
      await Promise.all(workers);
    },
  };
}

describe('processes on RabbitMQ', () => {
  let rabbit: Awaited<ReturnType<typeof startRabbitMq>>;
  let postgres: Awaited<ReturnType<typeof startPostgres>>;
  let platform: Distributed;
  let device: Device;
  let ids: { functionId: number; requirementId: number };
  /** Of commands on the machine of the edge frontend. */
  let edgeMachine: Record<string, string>;
  /** Of commands on a machine of its own. */
  let ownMachine: Record<string, string>;

  beforeAll(async () => {
    [rabbit, postgres] = await Promise.all([startRabbitMq(), startPostgres()]);
    platform = await startDistributed(rabbit.url, postgres.url, { GANTRY_MAX_SCALED_RUNTIMES: '4' });
    edgeMachine = { GANTRY_DATA_DIR: platform.edgeDataDir };
    ownMachine = {
      GANTRY_DATA_DIR: newDataDir(),
      GANTRY_BROKER_URL: rabbit.url,
      GANTRY_RUNTIME_CREDENTIAL_FILE: platform.runtimeCredentialFile,
      GANTRY_EDGE_URLS: platform.edgeUrl,
    };
    device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
    ids = {
      functionId: await device.upload(sleepThenEcho),
      requirementId: await device.requirement(),
    };
  }, 180_000);

  afterAll(async () => {
    for (const machine of [edgeMachine, ownMachine])
      if (machine !== undefined) await cli(machine, 'runtime', 'stop', 'Nature', '--all', '--now');
    await platform?.stop();
    await Promise.all([rabbit?.stop(), postgres?.stop()]);
  }, 60_000);

  const listed = async (machine = edgeMachine): Promise<Listed[]> =>
    (await cli(machine, 'runtime', 'ls')).json() as Listed[];

  it('scales 1 → 3 → 1 under load without a lost or failed call', async () => {
    const first = await scale(platform.edgeUrl, device.token, 1);
    expect(first).toMatchObject({
      status: 200,
      json: { service_id: 'test-cluster/Nature', state: 2, initial_cardinality: 0, final_cardinality: 1 },
    });
    // From here on only what was scaled serves the flavour.
    await platform.runtimes[0]?.stop('SIGTERM');
    await platform.ready();

    const load = startLoad(device, ids);
    await until('the load to run', () => load.count() > 20);
    const up = await scale(platform.edgeUrl, device.token, 3);
    expect(up.json).toMatchObject({ initial_cardinality: 1, final_cardinality: 3 });
    const afterUp = load.count();
    await until('calls at three runtimes', () => load.count() > afterUp + 100);
    // More than there are runtimes: each runs one, and one of them holds another that it has not started.
    const long = [1, 2, 3, 4].map((value) =>
      device.execute(ids.functionId, ids.requirementId, [1500, value]),
    );
    const beforeLong = load.count();
    await until('the long calls to be taken', () => load.count() > beforeLong + 16);
    const down = await scale(platform.edgeUrl, device.token, 1);
    expect(down.json).toMatchObject({ initial_cardinality: 3, final_cardinality: 1 });
    const afterDown = load.count();
    await until('calls at one runtime', () => load.count() > afterDown + 50);
    await load.end();
    expect(load.wrong).toEqual([]);
    expect((await Promise.all(long)).map(({ json }) => resultOf(json))).toEqual([1, 2, 3, 4]);
    expect(await listed()).toMatchObject([{ id: 'Nature.1', state: 'taking', running: 0 }]);
  }, 120_000);

  it('keeps secrets out of the environment and the command line of what it starts', async () => {
    await scale(platform.edgeUrl, device.token, 1);
    const [one] = await listed();
    const seen = ['environ', 'cmdline'].map((name) => readFileSync(`/proc/${one?.pid}/${name}`, 'latin1'));
    const password = new URL(rabbit.url).password;
    const credential = readFileSync(platform.runtimeCredentialFile, 'utf8');
    expect(seen[0]).toContain('GANTRY_BROKER_URL_FILE=');
    expect(password.length).toBeGreaterThan(10);
    expect(seen.join('')).not.toContain(password);
    expect(seen.join('')).not.toContain(credential);
  });

  it('outlives the edge frontend, which counts it again', async () => {
    await scale(platform.edgeUrl, device.token, 1);
    const [before] = await listed();
    await platform.edge.stop('SIGTERM');
    await platform.startEdge();
    expect((await scale(platform.edgeUrl, device.token, 1)).json).toMatchObject({ initial_cardinality: 1 });
    expect(await listed()).toMatchObject([{ id: 'Nature.1', pid: before?.pid }]);
  }, 90_000);

  it('lists one that was killed as lost, once, and scales without it', async () => {
    await scale(platform.edgeUrl, device.token, 2);
    const second = (await listed()).find(({ id }) => id === 'Nature.2');
    process.kill(second?.pid ?? -1, 'SIGKILL');
    await until('the process to be gone', () => !isRunning(second?.pid ?? -1));
    expect((await listed()).map(({ id, state }) => [id, state])).toEqual([
      ['Nature.1', 'taking'],
      ['Nature.2', 'lost'],
    ]);
    expect(await listed()).toHaveLength(1);
    const again = await scale(platform.edgeUrl, device.token, 2);
    expect(again.json).toMatchObject({ initial_cardinality: 1, final_cardinality: 2 });
  }, 60_000);

  it('starts, lists, scales and stops runtimes of a machine by the command line', async () => {
    const started = await cli(ownMachine, 'runtime', 'start', 'Nature', '--slots', '2', '--detach');
    expect(started.json()).toMatchObject({ id: 'Nature.1', state: 'taking', running: 0 });
    expect(readFileSync(started.json().log_file, 'utf8')).toContain('"slots":2');
    const scaled = await cli(ownMachine, 'runtime', 'scale', 'Nature', '2');
    expect(scaled.json()).toEqual({ flavour: 'Nature', initial_cardinality: 1, final_cardinality: 2 });
    expect((await listed(ownMachine)).map(({ id }) => id)).toEqual(['Nature.1', 'Nature.2']);
    const unclear = await cli(ownMachine, 'runtime', 'stop', 'Nature');
    expect([unclear.code, unclear.json().error.detail]).toEqual([2, expect.stringContaining('--all')]);
    const stopped = await cli(ownMachine, 'runtime', 'stop', 'Nature', '2');
    expect(stopped.json()).toEqual({ stopped: ['Nature.2'] });
    await cli(ownMachine, 'runtime', 'stop', 'Nature', '--all');
    expect(await listed(ownMachine)).toEqual([]);
  }, 90_000);

  it('runs in the terminal until it is told to end, and drains', async () => {
    const attached = startNode(gantry, ['runtime', 'start', 'Nature'], ownMachine);
    await until('it to take executions', () => attached.stdout().includes('takes executions;'));
    expect(await listed(ownMachine)).toMatchObject([{ id: 'Nature.1', state: 'taking' }]);
    expect(await attached.stop('SIGINT')).toBe(0);
    expect(await listed(ownMachine)).toEqual([]);
  }, 60_000);

  it('says what a runtime still runs when it does not end in time, and which end it comes to', async () => {
    await cli(ownMachine, 'runtime', 'start', 'Nature', '--detach');
    // No other runtime is left for the call.
    await platform.runtimes[0]?.stop('SIGTERM');
    expect((await cli(edgeMachine, 'runtime', 'stop', 'Nature', '--all')).code).toBe(0);
    const long = device.execute(ids.functionId, ids.requirementId, [12_000, 'kept']);
    await until('it to run', async () => (await listed(ownMachine))[0]?.running === 1);
    const late = await cli(ownMachine, 'runtime', 'stop', 'Nature', '1', '--timeout', '1');
    expect([late.code, late.json().error.detail]).toEqual([
      5,
      expect.stringContaining('still runs 1 execution'),
    ]);
    expect(await listed(ownMachine)).toMatchObject([{ state: 'draining', running: 1 }]);
    expect(resultOf((await long).json)).toBe('kept');
    await until('it to end', async () => (await listed(ownMachine)).length === 0);
  }, 90_000);

  it('says why a runtime does not start, and leaves nothing of it', async () => {
    const wrong = { ...ownMachine, GANTRY_RUNTIME_MEMORY_MIB: 'much' };
    const refused = await cli(wrong, 'runtime', 'start', 'Nature', '--detach');
    expect([refused.code, refused.json().error.detail]).toEqual([
      2,
      expect.stringContaining('GANTRY_RUNTIME_MEMORY_MIB'),
    ]);
    const nobodys = await cli(ownMachine, 'runtime', 'start', 'Natur', '--detach');
    expect([nobodys.code, nobodys.json().error.detail]).toEqual([
      2,
      expect.stringMatching(/"Natur"; did you mean Nature\? There are: .*Nature.*GANTRY_FLAVOURS_DIR/),
    ]);
    const { GANTRY_RUNTIME_CREDENTIAL_FILE: _file, ...without } = ownMachine;
    const noCredential = await cli(without, 'runtime', 'start', 'Nature');
    expect([noCredential.code, noCredential.json().error.detail]).toEqual([
      2,
      expect.stringContaining('GANTRY_RUNTIME_CREDENTIAL_FILE'),
    ]);
    expect(await listed(ownMachine)).toEqual([]);
  }, 60_000);
});

describe('the embedded platform', () => {
  let platform: Platform | undefined;
  afterEach(async () => {
    await platform?.stop('SIGKILL');
  });

  it('scales inside its own process, over HTTP and by the command line', async () => {
    platform = await startPlatform();
    const { adminPassword, edgeUrl, dataDir, env } = platform;
    const device = await newDevice(platform, { name: 'admin', password: adminPassword });
    const load = startLoad(device, {
      functionId: await device.upload(sleepThenEcho),
      requirementId: await device.requirement(),
    });
    expect((await scale(edgeUrl, device.token, 3)).json).toMatchObject({
      service_id: 'local/Nature',
      initial_cardinality: 1,
      final_cardinality: 3,
    });
    const metrics = async () => (await fetch(platform?.metricsUrl ?? '')).text();
    await until('three runtimes to be seen', async () =>
      /^flavour_runtimes\{flavour="Nature"\} 3$/m.test(await metrics()),
    );
    const scaled = await cli(env, 'runtime', 'scale', 'Nature', '2');
    expect(scaled.json()).toEqual({ flavour: 'Nature', initial_cardinality: 3, final_cardinality: 2 });
    expect((await scale(edgeUrl, device.token, 0)).json).toMatchObject({
      initial_cardinality: 2,
      final_cardinality: 1,
    });
    await load.end();
    expect(load.wrong).toEqual([]);
    expect(load.count()).toBeGreaterThan(20);
    expect(await metrics()).toMatch(/^scalings_total\{flavour="Nature",outcome="scaled"\} 3$/m);

    const tooMany = await scale(edgeUrl, device.token, 9);
    expect(tooMany).toMatchObject({ status: 422, json: { detail: expect.stringContaining('8 runtimes') } });
    const nothingToJoin = await cli(env, 'runtime', 'start', 'Nature');
    expect([nothingToJoin.code, nothingToJoin.json().error.detail]).toEqual([
      2,
      expect.stringMatching(/nothing to join.*gantry runtime scale Nature 2/),
    ]);
    expect(await (await cli(env, 'runtime', 'ls')).json()).toEqual([]);
    await scale(edgeUrl, device.token, 3);
    expect(await platform.stop('SIGTERM')).toBe(0);
    expect(() => readFileSync(join(dataDir, 'platform.json'))).toThrow('ENOENT');
  }, 120_000);
});
