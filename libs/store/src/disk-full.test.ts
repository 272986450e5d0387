import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silentLogger, systemClock } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { LibsqlDatabase } from './adapters/libsql/libsql-database.js';
import { libsqlDialect } from './adapters/libsql/libsql-dialect.js';
import { LibsqlDriver } from './adapters/libsql/libsql-driver.js';
import { aFunction, anExecution, plenty } from './contract/fixtures.js';
import { openStore } from './open-store.js';
import { createDocumentStore } from './repositories/documents.js';
import { createExecutionStore } from './repositories/executions.js';
import type { Tables } from './schema.js';

const unavailable = { code: 'store-unavailable', retryable: true };

/** In a process whose files may not grow beyond a limit, until the limit is lifted. */
const writeUntilFull = `
  import { execFileSync } from 'node:child_process';
  const { openStore } = await import(process.argv[1]);
  const quiet = () => undefined;
  const logger = { error: quiet, warn: quiet, info: quiet, debug: quiet };
  process.on('SIGXFSZ', quiet);
  const store = await openStore({ url: process.argv[2], logger });
  const accept = (id) =>
    store.executions.accept({ ...JSON.parse(process.argv[3]), id }, Buffer.alloc(20000, id)).then(() => 'ok', (error) => error.code);
  const acknowledged = [];
  let outcome = 'ok';
  for (let n = 0; outcome === 'ok' && n < 1000; n += 1) {
    outcome = await accept('n' + n);
    if (outcome === 'ok') acknowledged.push('n' + n);
  }
  const check = () => store.check().then(() => 'ok', (error) => error.code);
  const whileFull = [outcome, await accept('refused')];
  const readable = (await store.executions.find('n0'))?.id;
  execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited']);
  const afterwards = [await check(), await accept('later')];
  const missing = [];
  for (const id of [...acknowledged, 'later']) if ((await store.executions.readParameters(id))?.length !== 20000) missing.push(id);
  const refused = (await store.executions.find('refused')) ?? null;
  await store.close();
  process.stdout.write(JSON.stringify({ whileFull, readable, afterwards, missing, refused, count: acknowledged.length }));
`;

describe('a libsql store on a full disk', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-full-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('refuses writes, keeps what it has, and writes again when there is space', async () => {
    const path = join(folder, 'gantry.db');
    await (await openStore({ url: `file:${path}`, logger: silentLogger })).close();
    const database = new LibsqlDatabase(path);
    const dialect = libsqlDialect(`file:${path}`, { timeoutMs: 500 });
    const db = new Kysely<Tables>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new LibsqlDriver(database, 500),
        createIntrospector: (each) => new SqliteIntrospector(each),
        createQueryCompiler: () => new SqliteQueryCompiler(),
      },
    });
    const connection = { db, dialect, clock: systemClock };
    const [executions, documents] = [createExecutionStore(connection), createDocumentStore(connection)];
    const limitPages = (pages: number) => database.prepare(`pragma max_page_count = ${pages}`).all([]);

    limitPages(80);
    const parameters = Buffer.alloc(20_000, 'x');
    const accepted: string[] = [];
    const fill = async () => {
      for (let n = 0; n < 100; n += 1) {
        await executions.accept(anExecution(`n${n}`), parameters);
        accepted.push(`n${n}`);
      }
    };
    await expect(fill()).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringContaining('disk is full'),
    });
    expect(accepted.length).toBeGreaterThan(3);
    await expect(executions.accept(anExecution('refused'), parameters)).rejects.toMatchObject(unavailable);
    const code = Buffer.alloc(20_000, 'y');
    await expect(documents.putFunction(aFunction('big', { code }), plenty)).rejects.toMatchObject(
      unavailable,
    );
    expect(await executions.find('refused')).toBeUndefined();
    expect(await executions.readParameters('n0')).toHaveLength(20_000);

    limitPages(1_000_000);
    expect(await documents.putFunction(aFunction('big', { code }), plenty)).toBe(1);
    await executions.accept(anExecution('later'), parameters);
    for (const id of [...accepted, 'later']) expect(await executions.readParameters(id)).toHaveLength(20_000);
    expect(database.prepare('pragma integrity_check').all([])).toEqual([{ integrity_check: 'ok' }]);
    await db.destroy();
  });

  it('does the same when the system refuses to let its files grow', async () => {
    const url = `file:${join(folder, 'gantry.db')}`;
    const index = new URL('./index.js', import.meta.url).href;
    const node = [process.execPath, '--input-type=module', '-e', writeUntilFull, index, url];
    const args = ['--fsize=600000:unlimited', '--', ...node, JSON.stringify(anExecution(''))];
    const { stdout } = await promisify(execFile)('prlimit', args, { timeout: 30_000 });
    const { count, ...rest } = JSON.parse(stdout) as { count: number };
    expect(count).toBeGreaterThan(3);
    expect(rest).toEqual({
      whileFull: ['store-unavailable', 'store-unavailable'],
      readable: 'n0',
      afterwards: ['ok', 'ok'],
      missing: [],
      refused: null,
    });
  }, 40_000);
});
