/** The one-process platform on a real RabbitMQ and a real PostgreSQL, chosen by two settings. */

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildFlavourTopology, openBroker } from '@gantry/broker';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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

describe('a runtime beside it', () => {
  const sleep =
    'export default async (ms) => { const from = Date.now(); await new Promise((resolve) => setTimeout(resolve, ms)); return [from, Date.now()]; };';
  /** Runs a `gantry runtime` command with the settings of the platform. */
  const runtime = async (env: Readonly<Record<string, string>>, ...words: string[]) => {
    const command = startNode(gantry, ['--json', 'runtime', ...words], env);
    const code = await command.ended;
    return { code, json: JSON.parse(command.stdout()) };
  };

  it.each(['of its data folder', 'that both were given'])(
    'takes its share of the calls, with the credential %s',
    async (which) => {
      const folder = newDataDir();
      mkdirSync(folder, { recursive: true });
      const file = (name: string, value: string) => {
        writeFileSync(join(folder, name), value, { mode: 0o600 });
        return join(folder, name);
      };
      const given = which === 'that both were given';
      const platform = await startPlatform({
        GANTRY_BROKER_URL: rabbit.url,
        GANTRY_STORE_URL: await postgres.createDatabase(),
        GANTRY_RUNTIME_SLOTS: '1',
        ...(given ? { GANTRY_RUNTIME_CREDENTIAL_FILE: file('credential', 'known-to-both') } : {}),
      });
      try {
        const own = join(platform.dataDir, 'runtime-credential');
        expect(existsSync(own)).toBe(!given);
        if (!given) expect(statSync(own).mode & 0o777).toBe(0o600);
        if (given) {
          const other = { ...platform.env, GANTRY_RUNTIME_CREDENTIAL_FILE: file('other', 'another') };
          const refused = await runtime(other, 'start', 'Nature', '--detach');
          expect(refused.code).not.toBe(0);
          expect(refused.json.error.detail).toMatch(/401.*GANTRY_RUNTIME_CREDENTIAL_FILE/);
          expect((await runtime(platform.env, 'ls')).json).toEqual([]);
        }
        const started = await runtime(platform.env, 'start', 'Nature', '--detach');
        expect(started.json).toMatchObject({ id: 'Nature.1', state: 'taking' });
        const device = await newDevice(platform, { name: 'admin', password: platform.adminPassword });
        const [functionId, requirementId] = [await device.upload(sleep), await device.requirement()];
        const calls = Array.from({ length: 6 }, () => device.execute(functionId, requirementId, [1000]));
        const spans = (await Promise.all(calls)).map(({ json }) => resultOf(json) as [number, number]);
        // Each of the two runs one at a time: what ran at once ran at both.
        const ranTogether = spans.some(([from], i) =>
          spans.some(([start, end], j) => i !== j && start <= from && from < end),
        );
        expect([spans.length, ranTogether]).toEqual([6, true]);
      } finally {
        await runtime(platform.env, 'stop', 'Nature', '--all', '--now');
        await platform.stop('SIGTERM');
      }
    },
    120_000,
  );
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
