/** The one-process platform on a real RabbitMQ and a real PostgreSQL, chosen by two settings. */

import { buildFlavourTopology, openBroker } from '@gantry/broker';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { newDevice, resultOf } from '../support/device.js';
import { freePorts, gantry, newDataDir, startPlatform } from '../support/platform.js';
import { startPostgres } from '../support/postgres.js';
import { startNode } from '../support/processes.js';
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
