/** Two cloud frontends on one PostgreSQL: neither may see the world otherwise than the other for long. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CloudFrontend, cloudFrontendSchema, createCloudFrontend } from '@gantry/cloud-frontend';
import { loadConfig } from '@gantry/config';
import { Lifecycle, silentLogger } from '@gantry/kernel';
import { openStore, type Store } from '@gantry/store';
import { createMetrics } from '@gantry/telemetry';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type PostgresServer, startPostgres } from '../support/postgres.js';
import { until } from '../support/processes.js';

jest.setTimeout(60_000);

interface Frontend {
  readonly cloud: CloudFrontend;
  readonly store: Store;
  stop(): Promise<void>;
}

let parent: string;
let postgres: PostgresServer | undefined;
let frontends: readonly Frontend[] = [];

async function startFrontend(url: string, name: string): Promise<Frontend> {
  const store = await openStore({ url, logger: silentLogger });
  const { values } = loadConfig(cloudFrontendSchema, { argv: [], env: {} });
  const cloud = createCloudFrontend({
    config: { dataDir: join(parent, name), cloud: { ...values.cloud, port: 0 } },
    store,
    logger: silentLogger,
    metrics: createMetrics(),
    version: { name: 'cloud-frontend', version: '0.0.0', commit: 'test' },
  });
  const lifecycle = new Lifecycle();
  await lifecycle.start(cloud.parts);
  return {
    cloud,
    store,
    stop: async () => {
      await lifecycle.stop();
      await store.close();
    },
  };
}

beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'gantry-two-clouds-'));
  postgres = await startPostgres();
  const url = await postgres.createDatabase();
  frontends = await Promise.all([startFrontend(url, 'a'), startFrontend(url, 'b')]);
}, 120_000);

afterAll(async () => {
  await Promise.all(frontends.map((one) => one.stop()));
  await postgres?.stop();
  rmSync(parent, { recursive: true, force: true });
}, 60_000);

const send = async (to: Frontend, method: string, path: string, token: string, body?: unknown) => {
  const response = await fetch(`${to.cloud.url}${path}`, {
    method,
    headers: { token },
    ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
  });
  const text = await response.text();
  return { status: response.status, json: text === '' ? undefined : JSON.parse(text) };
};

async function signIn(to: Frontend, name: string, password: string): Promise<string> {
  const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  const response = await fetch(`${to.cloud.url}/v1/authenticate`, {
    method: 'POST',
    headers: { authorization },
  });
  expect(response.status).toBe(201);
  return JSON.parse(await response.text());
}

/** Both, and a token of the account that one of them made. */
async function setUp(): Promise<{ a: Frontend; b: Frontend; admin: string }> {
  const [a, b] = frontends;
  const first = frontends.map(({ cloud }) => cloud.firstAccount).find((one) => one !== undefined);
  if (a === undefined || b === undefined || first === undefined) throw new Error('they did not start');
  return { a, b, admin: await signIn(b, first.name, first.password) };
}

describe('two cloud frontends on one PostgreSQL', () => {
  it('start at once with one first account and one key', async () => {
    const { a, b, admin } = await setUp();
    expect(frontends.filter(({ cloud }) => cloud.firstAccount !== undefined)).toHaveLength(1);
    expect(await a.cloud.link.readKeys()).toEqual(await b.cloud.link.readKeys());
    expect((await send(a, 'GET', '/v1/accounts', admin)).status).toBe(200);
  });

  it('take the tokens of a key that the other has just made', async () => {
    const { a, b, admin } = await setUp();
    const rotated = await send(a, 'POST', '/v1/public_keys', admin);
    expect(rotated.status).toBe(201);
    const account = { name: 'ada', password: 'correct horse battery' };
    expect((await send(a, 'POST', '/v1/accounts', admin, account)).status).toBe(201);
    const token = await signIn(a, account.name, account.password);
    expect((await send(b, 'GET', '/v1/functions', token)).status).toBe(200);
  });

  it('refuse within seconds the tokens of an account that the other deleted', async () => {
    const { a, b, admin } = await setUp();
    const account = { name: 'bob', password: 'correct horse battery' };
    expect((await send(a, 'POST', '/v1/accounts', admin, account)).status).toBe(201);
    const token = await signIn(b, account.name, account.password);
    expect((await send(a, 'DELETE', '/v1/accounts/bob', admin)).status).toBe(204);
    expect((await send(a, 'GET', '/v1/functions', token)).json.code).toBe('token-revoked');
    await until(
      'the other one to refuse the token',
      async () => (await send(b, 'GET', '/v1/functions', token)).json.code === 'token-revoked',
      10_000,
    );
  });

  it('store one function for uploads that reach both at once', async () => {
    const { a, b, admin } = await setUp();
    const upload = { LANG: 'JS', FC: Buffer.from('export default 1').toString('base64'), FC_HASH: 'h' };
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        send(index % 2 === 0 ? a : b, 'POST', '/v1/daas/upload', admin, upload),
      ),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(new Set(answers.map(({ json }) => json)).size).toBe(1);
  });

  it('offer a cluster that reported to the other', async () => {
    const { a, b, admin } = await setUp();
    const token = await a.cloud.link.enrolCluster('north');
    const report = { url: 'http://edge', flavours: ['Nature'], is_confidential: false, capacity: 1 };
    await a.cloud.link.reportCluster('north', token, report);
    const id = (await send(b, 'POST', '/v1/app_requirements', admin, {})).json;
    expect((await send(b, 'GET', `/v1/app_requirements/${id}/ec_fe`, admin)).json).toMatchObject([
      { NAME: 'north' },
    ]);
  });
});
