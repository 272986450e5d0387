/** The one-process platform on a real RabbitMQ and a real PostgreSQL, chosen by two settings. */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildFlavourTopology, openBroker } from '@gantry/broker';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runGantry } from '../support/command-line.js';
import { newDevice, resultOf } from '../support/device.js';
import { freePorts, gantry, newDataDir, type Platform, startPlatform } from '../support/platform.js';
import { startPostgres } from '../support/postgres.js';
import { startNode, until } from '../support/processes.js';
import { startRabbitMq } from '../support/rabbitmq.js';

let rabbit: Awaited<ReturnType<typeof startRabbitMq>>;
let postgres: Awaited<ReturnType<typeof startPostgres>>;

beforeAll(async () => {
  [rabbit, postgres] = await Promise.all([startRabbitMq(), startPostgres()]);
}, 120_000);

afterAll(async () => {
  await Promise.all([rabbit?.stop(), postgres?.stop()]);
}, 60_000);

it('executes over both, and keeps accounts and results across a restart', async () => {
  const env = { GANTRY_BROKER_URL: rabbit.url, GANTRY_STORE_URL: postgres.url };
  const platform = await startPlatform(env);
  const device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
  const functionId = await device.upload('export default (a, b) => a + b;');
  const requirementId = await device.requirement();
  expect(resultOf((await device.execute(functionId, requirementId, [20, 22])).json)).toBe(42);
  const accepted = await device.execute(functionId, requirementId, [1, 2], { mode: 'async' });
  expect(resultOf((await device.read(accepted.json.execution_id, 30)).json)).toBe(3);
  expect(await platform.stop('SIGTERM')).toBe(0);

  const again = await startPlatform(env, platform.dataDir);
  const after = await newDevice(again, { name: 'admin', password: platform.adminPassword });
  expect(resultOf((await after.read(accepted.json.execution_id)).json)).toBe(3);
  await again.stop('SIGTERM');
});

it('keeps its enrolment across starts, and never takes the name of another live cluster', async () => {
  const env = { GANTRY_BROKER_URL: rabbit.url, GANTRY_STORE_URL: await postgres.createDatabase() };
  const enrolmentOf = (dataDir: string) => readFileSync(join(dataDir, 'cluster-enrolment.json'), 'utf8');
  const clustersOf = async (platform: Platform) =>
    JSON.parse((await runGantry(['clusters', 'ls', '--json'], platform)).stdout) as {
      name: string;
      state: string;
      last_seen: string | null;
    }[];
  const first = await startPlatform(env);
  expect(statSync(join(first.dataDir, 'cluster-enrolment.json')).mode & 0o777).toBe(0o600);
  const kept = enrolmentOf(first.dataDir);

  const refused = startNode(gantry, ['up'], { ...freePorts(newDataDir()), ...env });
  expect(await refused.ended).toBe(1);
  expect(refused.output()).toMatch(
    /Another cluster named "local" uses this store: it reported \d+ s ago from http:\/\/127\.0\.0\.1.*GANTRY_CLUSTER_NAME/,
  );

  const other = await startPlatform({
    ...env,
    GANTRY_CLUSTER_NAME: 'other',
    // The account is in the store that both use.
    GANTRY_ADMIN_PASSWORD_FILE: join(first.dataDir, 'admin-password'),
  });
  const seen = (await clustersOf(first)).find(({ name }) => name === 'local')?.last_seen ?? '';
  await until('the first to report on', async () =>
    (await clustersOf(first)).some(({ name, last_seen }) => name === 'local' && (last_seen ?? '') > seen),
  );
  await other.stop('SIGTERM');

  // At once, while it still counts as live: it is the same cluster.
  await first.stop('SIGKILL');
  const again = await startPlatform(env, first.dataDir);
  expect(enrolmentOf(first.dataDir)).toBe(kept);
  await runGantry(['clusters', 'enrol', 'planned'], again);
  expect(await clustersOf(again)).toMatchObject([
    { name: 'local', state: 'live' },
    { name: 'other' },
    { name: 'planned', state: 'enrolled', last_seen: null },
  ]);

  // The cloud refuses what was kept: enrolled anew.
  await runGantry(['clusters', 'rm', 'local'], again);
  await again.stop('SIGTERM');
  const anew = await startPlatform(env, first.dataDir);
  expect(enrolmentOf(first.dataDir)).not.toBe(kept);
  expect(await clustersOf(anew)).toContainEqual(expect.objectContaining({ name: 'local', state: 'live' }));
  await anew.stop('SIGTERM');
}, 180_000);

it('refuses to start on a queue with other arguments, and names the difference', async () => {
  const broker = await openBroker({ url: rabbit.url });
  const { exchanges, queues, bindings } = buildFlavourTopology('Odd');
  await broker.declare({
    exchanges,
    bindings,
    queues: queues.map((queue) => ({ ...queue, maxMessages: 7 })),
  });
  await broker.close();
  const refused = startNode(gantry, ['up'], {
    ...freePorts(newDataDir()),
    GANTRY_BROKER_URL: rabbit.url,
    GANTRY_FLAVOURS: 'Odd',
  });
  expect(await refused.ended).toBe(1);
  expect(refused.output()).toMatch(/execute\.v1\.Odd/);
  expect(refused.output()).toMatch(/max-length/);
});
