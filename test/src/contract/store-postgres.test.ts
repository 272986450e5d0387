import { type Logger, silentLogger } from '@gantry/kernel';
import { openStore, type Store } from '@gantry/store';
import { describeStoreContract } from '@gantry/store/contract';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PostgresServer, startPostgres } from '../support/postgres.js';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
}, 120_000);

afterAll(async () => {
  await server.stop();
}, 60_000);

describeStoreContract('postgres', { createDatabase: () => server.createDatabase() });

describe('a store on PostgreSQL that fails', () => {
  const unavailable = { code: 'store-unavailable', retryable: true };
  const stores: Store[] = [];

  const open = async (options: { url?: string; timeoutMs?: number; logger?: Logger } = {}) => {
    const url = options.url ?? (await server.createDatabase());
    const { timeoutMs = 2000, logger = silentLogger } = options;
    const store = await openStore({ url, logger, timeoutMs, poolSize: 3, startTimeoutMs: 1000 });
    stores.push(store);
    return store;
  };

  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
  });

  const statusOf = (call: Promise<unknown>) =>
    call.then(
      () => 'done',
      (error: { code?: string }) => error.code,
    );

  const eventually = async (call: () => Promise<unknown>) => {
    const deadlineMs = performance.now() + 20_000;
    while ((await statusOf(call())) !== 'done') {
      if (performance.now() > deadlineMs) throw new Error('the store did not come back');
    }
  };

  it('answers store-unavailable while the server is down and works again after its crash, with everything in it', async () => {
    const lines: string[] = [];
    const note = (message: string, fields?: object) =>
      void lines.push(`${message} ${JSON.stringify(fields)}`);
    const store = await open({ logger: { error: note, warn: note, info: note, debug: note } });
    const put = (n: number) => store.payloads.put(Buffer.from(`payload ${n}`), n);
    const hash = await put(1);
    const during = Promise.all(Array.from({ length: 30 }, (_, n) => statusOf(put(n + 2))));
    await server.kill9();
    for (const status of await during) expect(['done', 'store-unavailable']).toContain(status);
    await expect(store.check()).rejects.toMatchObject(unavailable);
    await expect(put(1)).rejects.toMatchObject(unavailable);
    await server.start();
    await eventually(() => store.check());
    expect(Buffer.from((await store.payloads.get(hash)) ?? []).toString()).toBe('payload 1');
    await Promise.all(Array.from({ length: 10 }, (_, n) => put(n + 100)));
    const log = lines.join('\n');
    expect(log).toContain('store.unavailable');
    expect(log).toContain('store.recovered');
    expect(log).not.toContain(new URL(server.url).password);
  }, 60_000);

  it('loses nothing that it acknowledged when the server restarts in the middle', async () => {
    const store = await open();
    const acknowledged: string[] = [];
    let isRestarting = true;
    const writer = async (name: string) => {
      for (let n = 0; isRestarting || n < 20; n += 1) {
        const id = `async.${name}.${n}`;
        const status = await statusOf(store.executions.accept(executionOf(id), Buffer.from('[]')));
        if (status === 'done') acknowledged.push(id);
        else expect(status).toBe('store-unavailable');
      }
    };
    const writers = Promise.all(['a', 'b', 'c'].map(writer));
    await server.restart();
    isRestarting = false;
    await writers;
    await eventually(() => store.check());
    expect(acknowledged.length).toBeGreaterThan(0);
    for (const id of acknowledged)
      expect(await store.executions.find(id)).toMatchObject({ status: 'queued' });
  }, 60_000);

  it('gives up at the deadline on a server that is silent, and works again when it answers', async () => {
    const store = await open({ timeoutMs: 500 });
    await store.check();
    server.suspend();
    try {
      const calls = Array.from({ length: 8 }, () => statusOf(store.check()));
      expect(new Set(await Promise.all(calls))).toEqual(new Set(['store-unavailable']));
    } finally {
      server.resume();
    }
    await eventually(() => store.check());
  }, 60_000);

  it('gives up at the deadline on a row that another session locked', async () => {
    const url = await server.createDatabase();
    const store = await open({ url, timeoutMs: 500 });
    await store.check();
    const blocker = server.sql('begin; select * from store_health for update; select pg_sleep(2)', url);
    await eventuallyLocked(url);
    await expect(store.check()).rejects.toMatchObject(unavailable);
    await store.payloads.put(Buffer.from('not locked'), 1);
    await blocker;
    await store.check();
  }, 60_000);

  const eventuallyLocked = async (url: string) => {
    const waiting =
      "select count(*) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()";
    while ((await server.sql(waiting, url)) === '0');
  };

  it('is not writable on a read-only database, but readable', async () => {
    const url = await server.createDatabase();
    await (await open({ url })).check();
    await server.sql(
      `alter database ${new URL(url).pathname.slice(1)} set default_transaction_read_only = on`,
    );
    // It opens: nothing is to be migrated.
    const store = await open({ url });
    await expect(store.check()).rejects.toMatchObject(unavailable);
    expect(await store.clusters.list()).toEqual([]);
  }, 60_000);

  it('says which server does not answer, or that the password is wrong, without the password', async () => {
    const wrong = new URL(server.url);
    wrong.password = 'wrong-secret';
    const message = expect.stringMatching(
      /^The store postgres:\/\/127\.0\.0\.1:\d+\/postgres does not answer: (?!.*wrong-secret)/,
    );
    await expect(open({ url: wrong.href })).rejects.toMatchObject({ ...unavailable, message });
    const nobody = 'postgres://user:wrong-secret@127.0.0.1:1/postgres';
    await expect(open({ url: nobody })).rejects.toMatchObject({ ...unavailable, message });
  }, 60_000);
});

const executionOf = (id: string) => ({
  id,
  owner: 'alice',
  mode: 'async' as const,
  status: 'queued' as const,
  functionId: 1,
  requirementId: 2,
  functionSha256: 'ab'.repeat(32),
  language: 'JS' as const,
  flavour: 'Nature',
  attempt: 0,
  retCode: undefined,
  res: undefined,
  err: undefined,
  createdAtMs: 1,
  startedAtMs: undefined,
  finishedAtMs: undefined,
  expiresAtMs: 2,
  queueMs: 1,
  runMs: 1,
  runtimeId: undefined,
  progressPerMille: undefined,
  traceparent: undefined,
});
