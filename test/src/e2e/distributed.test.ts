/** Every service a process of its own, over a real RabbitMQ and a real PostgreSQL; and what happens when one dies. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkedFetch } from '../support/checked-fetch.js';
import { type Device, newDevice, resultOf, signIn } from '../support/device.js';
import { type Distributed, startDistributed } from '../support/distributed.js';
import { startPostgres } from '../support/postgres.js';
import { until } from '../support/processes.js';
import { startRabbitMq } from '../support/rabbitmq.js';

let rabbit: Awaited<ReturnType<typeof startRabbitMq>>;
let postgres: Awaited<ReturnType<typeof startPostgres>>;
let platform: Distributed;
let device: Device;
let requirementId: number;

const account = () => ({ name: 'admin', password: platform.adminPassword });
const sleepThen = (ms: number, value: string) =>
  `export default async () => { await new Promise((resolve) => setTimeout(resolve, ${ms})); return ${JSON.stringify(value)}; };`;

beforeAll(async () => {
  [rabbit, postgres] = await Promise.all([startRabbitMq(), startPostgres()]);
  platform = await startDistributed(rabbit.url, postgres.url);
  device = await newDevice(platform, account());
  requirementId = await device.requirement();
}, 180_000);

afterAll(async () => {
  await platform?.stop();
  await Promise.all([rabbit?.stop(), postgres?.stop()]);
}, 60_000);

/** Waits for the end of an asynchronous execution. */
const endOf = (id: string, timeoutMs = 90_000) =>
  until(
    `execution ${id} to end`,
    async () => {
      const read = await device.read(id, 5);
      return read.status === 200 && !['queued', 'running'].includes(read.json.status) ? read.json : undefined;
    },
    timeoutMs,
  );

it('executes synchronously and asynchronously', async () => {
  const functionId = await device.upload('export default (a, b) => a * b;');
  expect(resultOf((await device.execute(functionId, requirementId, [6, 7])).json)).toBe(42);
  const accepted = await device.execute(functionId, requirementId, [2, 3], { mode: 'async' });
  expect(resultOf(await endOf(accepted.json.execution_id))).toBe(6);
});

it('passes parameters and results of several megabytes', async () => {
  const functionId = await device.upload('export default (text) => text + "!";');
  const text = 'y'.repeat(3_000_000);
  expect(resultOf((await device.execute(functionId, requirementId, [text])).json)).toBe(`${text}!`);
});

describe('a runtime that is killed in the middle of a run', () => {
  it('runs an asynchronous execution again and says so', async () => {
    const accepted = await device.execute(await device.upload(sleepThen(3000, 'twice')), requirementId, [], {
      mode: 'async',
    });
    const id = accepted.json.execution_id;
    await until('the execution to run', async () => (await device.read(id)).json.status === 'running');
    await platform.runtimes[0]?.stop('SIGKILL');
    platform.startRuntime();
    const execution = await endOf(id);
    expect(execution).toMatchObject({ status: 'succeeded', attempt: 2 });
    await platform.ready();
  });

  it('never runs a synchronous one again, and answers worker-lost', async () => {
    const functionId = await device.upload(sleepThen(2500, 'once'));
    const answer = device.execute(functionId, requirementId, []);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await platform.runtimes.at(-1)?.stop('SIGKILL');
    platform.startRuntime();
    const { status, json } = await answer;
    expect(status).toBe(200);
    expect(json.err).toMatch(/^worker-lost: /);
    await platform.ready();
  });
});

it('drains on SIGTERM: what runs is answered', async () => {
  platform.startRuntime();
  await until('the second runtime to take executions', async () => {
    const clusters = await checkedFetch(`${platform.cloudUrl}/v1/clusters`, {
      headers: { token: device.token },
    });
    return clusters.json[0].capacity === 2;
  });
  const functionId = await device.upload(sleepThen(3000, 'finished'));
  const answers = [0, 1].map(() => device.execute(functionId, requirementId, []));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const leaving = platform.runtimes.at(-1);
  expect(await leaving?.stop('SIGTERM')).toBe(0);
  for (const answer of await Promise.all(answers)) expect(resultOf(answer.json)).toBe('finished');
});

it('hands on what a draining runtime held: every call runs exactly once, none is lost', async () => {
  const functionId = await device.upload(
    'export default async (n) => { await new Promise((resolve) => setTimeout(resolve, 300)); return n; };',
  );
  platform.startRuntime();
  await until('the second runtime to take executions', async () => {
    const flavours = await checkedFetch(`${platform.edgeUrl}/v1/flavours`, {
      headers: { token: device.token },
    });
    return flavours.json[0].live.slots === 2;
  });
  // While a runtime runs an asynchronous execution, it holds a synchronous call beside.
  const sleeper = await device.upload(sleepThen(2000, 'slept'));
  const asleep = await Promise.all(
    [0, 1].map(() => device.execute(sleeper, requirementId, [], { mode: 'async' })),
  );
  const isRunning = async ({ json }: (typeof asleep)[number]) =>
    (await device.read(json.execution_id)).json.status === 'running';
  await until('both to run', async () => (await Promise.all(asleep.map(isRunning))).every(Boolean));
  const numbers = Array.from({ length: 6 }, (_, index) => index);
  const answers = numbers.map((n) => device.execute(functionId, requirementId, [n]));
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(await platform.runtimes.at(-1)?.stop('SIGTERM')).toBe(0);
  for (const [index, answer] of (await Promise.all(answers)).entries()) {
    expect(answer.json).toMatchObject({ ret_code: 0, err: null });
    expect(resultOf(answer.json)).toBe(index);
  }
  for (const { json } of asleep) expect(resultOf(await endOf(json.execution_id))).toBe('slept');
});

it('loses no asynchronous execution and hangs no caller when RabbitMQ restarts under load', async () => {
  const functionId = await device.upload(sleepThen(50, 'kept'));
  const accepted: string[] = [];
  const statuses = new Set<number>();
  let isOver = false;
  const load = (async () => {
    while (!isOver) {
      const [later, now] = await Promise.all([
        device.execute(functionId, requirementId, [], { mode: 'async' }),
        device.execute(functionId, requirementId, []),
      ]);
      if (later.status === 202) accepted.push(later.json.execution_id);
      else expect([429, 503]).toContain(later.status);
      statuses.add(now.status);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await until('some executions to be accepted', () => accepted.length > 20);
  await rabbit.restart();
  const before = accepted.length;
  await until('executions to be accepted again', () => accepted.length > before + 20, 60_000);
  isOver = true;
  await load;
  for (const id of accepted) expect((await endOf(id)).status).toBe('succeeded');
  expect([...statuses].filter((status) => ![200, 429, 503, 504].includes(status))).toEqual([]);
}, 240_000);

it('answers 503 with Retry-After while RabbitMQ is down, and starts without it', async () => {
  const functionId = await device.upload('export default () => 1;');
  await rabbit.kill9();
  const during = await until('503', async () => {
    const answer = await device.execute(functionId, requirementId, []);
    return answer.status === 503 ? answer : undefined;
  });
  expect(during.headers.get('retry-after')).not.toBeNull();
  expect((await device.execute(functionId, requirementId, [], { mode: 'async' })).status).toBe(503);
  await platform.edge.stop('SIGTERM');
  await platform.startEdge({ waitReady: false });
  expect((await device.execute(functionId, requirementId, [])).status).toBe(503);
  expect((await fetch(`${platform.edgeUrl}/livez`)).status).toBe(200);
  expect((await fetch(`${platform.edgeUrl}/readyz`)).status).toBe(503);
  await rabbit.start();
  await platform.ready();
  expect((await device.execute(functionId, requirementId, [])).status).toBe(200);
}, 180_000);

it('answers 503 while PostgreSQL is down for what needs it, and works again after', async () => {
  const functionId = await device.upload('export default () => 2;');
  await device.execute(functionId, requirementId, []);
  await postgres.kill9();
  const during = await device.execute(functionId, requirementId, [], { mode: 'async' });
  expect(during.status).toBe(503);
  expect(during.headers.get('retry-after')).not.toBeNull();
  await postgres.start();
  await until('asynchronous executions to be accepted again', async () => {
    const answer = await device.execute(functionId, requirementId, [], { mode: 'async' });
    return answer.status === 202;
  });
}, 120_000);

it('goes on while the cloud frontend is down, and takes a new key when it is back', async () => {
  const functionId = await device.upload('export default () => 3;');
  expect((await device.execute(functionId, requirementId, [])).status).toBe(200);
  await platform.cloud.stop('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 6000));
  expect((await device.execute(functionId, requirementId, [])).status).toBe(200);
  await platform.startCloud();
  const rotated = await checkedFetch(`${platform.cloudUrl}/v1/public_keys`, {
    method: 'POST',
    headers: { token: device.token },
  });
  expect(rotated.status).toBe(201);
  const token = await signIn(platform.cloudUrl, 'admin', platform.adminPassword);
  await until('the new key to be known', async () => {
    const answer = await checkedFetch(`${platform.edgeUrl}/v1/executions`, { headers: { token } });
    return answer.status === 200;
  });
  expect((await device.execute(functionId, requirementId, [])).status).toBe(200);
}, 120_000);

it('refuses a revoked token within ten seconds', async () => {
  const created = { name: 'leaver', password: 'a long enough password' };
  const admin = { token: await signIn(platform.cloudUrl, 'admin', platform.adminPassword) };
  const body = Buffer.from(JSON.stringify(created));
  await checkedFetch(`${platform.cloudUrl}/v1/accounts`, { method: 'POST', headers: admin, body });
  const leaver = await newDevice(platform, created);
  const list = () => checkedFetch(`${platform.edgeUrl}/v1/executions`, { headers: { token: leaver.token } });
  expect((await list()).status).toBe(200);
  await checkedFetch(`${platform.cloudUrl}/v1/accounts/leaver`, { method: 'DELETE', headers: admin });
  const refused = await until(
    'the token to be refused',
    async () => {
      const answer = await list();
      return answer.status === 401 ? answer : undefined;
    },
    10_000,
  );
  expect(refused.json.code).toBe('token-revoked');
});
