import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LibsqlDatabase } from './adapters/libsql/libsql-database.js';
import { openStore } from './open-store.js';
import type { Store } from './ports.js';

describe('the file of a libsql store', () => {
  let folder: string;
  let stores: Store[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-file-'));
    stores = [];
  });
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (path: string, options: { timeoutMs?: number; startTimeoutMs?: number } = {}) => {
    const store = await openStore({ url: `file:${path}`, logger: silentLogger, ...options });
    stores.push(store);
    return store;
  };
  const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

  it('can be read by its owner only, like its journals and the folder that is made for it', async () => {
    const path = join(folder, 'deep', 'data', 'gantry.db');
    await (await open(path)).check();
    const files = readdirSync(join(folder, 'deep', 'data')).sort((a, b) => a.localeCompare(b));
    expect(files).toEqual(['gantry.db', 'gantry.db-shm', 'gantry.db-wal']);
    for (const file of files) expect(modeOf(join(folder, 'deep', 'data', file))).toBe('600');
    expect(modeOf(join(folder, 'deep', 'data'))).toBe('700');
  });

  it('is closed to others when it was open to them before; a folder of theirs stays as it is', async () => {
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o755);
    const path = join(shared, 'gantry.db');
    writeFileSync(path, '');
    chmodSync(path, 0o644);
    await open(path);
    expect(modeOf(path)).toBe('600');
    expect(modeOf(shared)).toBe('755');
  });

  it.each(['file:', 'file::memory:', 'mysql://user:secret@host/db', 'nonsense', 'postgres://:::'])(
    'does not exist for %s, which is refused without repeating a password',
    async (url) => {
      const opening = openStore({ url, logger: silentLogger });
      const message = expect.not.stringContaining('secret');
      await expect(opening).rejects.toMatchObject({ code: 'invalid-request', message });
    },
  );

  it('that is no database is refused with its name, at once', async () => {
    const path = join(folder, 'letter.txt');
    writeFileSync(path, 'Dear reader, this is not a database. '.repeat(100));
    await expect(open(path)).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringMatching(/letter\.txt does not answer: the file is not a database/),
    });
  });

  it('in a folder that cannot be made is refused with its name', async () => {
    writeFileSync(join(folder, 'file'), '');
    const opening = open(join(folder, 'file', 'gantry.db'));
    await expect(opening).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining(folder),
    });
  });

  it('held by another writer delays a call without holding up the process, and refuses it at the deadline', async () => {
    const path = join(folder, 'gantry.db');
    const store = await open(path, { timeoutMs: 400 });
    const other = new LibsqlDatabase(path);
    other.begin();
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 5);
    await expect(store.check()).rejects.toMatchObject({ code: 'store-unavailable', retryable: true });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
    expect(await store.clusters.list()).toEqual([]);
    const waiting = store.payloads.put(Buffer.from('x'), 1);
    setTimeout(() => other.rollback(), 50);
    expect(await waiting).toHaveLength(64);
    other.close();
  });

  it('serves several processes that start and write at the same moment', async () => {
    const path = join(folder, 'gantry.db');
    const script = `
      const { openStore } = await import(process.argv[1]);
      const quiet = () => undefined;
      const store = await openStore({ url: process.argv[2], logger: { error: quiet, warn: quiet, info: quiet, debug: quiet } });
      for (let n = 0; n < 20; n += 1) await store.payloads.put(Buffer.from(process.argv[3] + n), n);
      await store.close();
      process.stdout.write('done');
    `;
    const index = new URL('./index.js', import.meta.url).href;
    const run = (name: string) =>
      promisify(execFile)(process.execPath, [
        '--input-type=module',
        '-e',
        script,
        index,
        `file:${path}`,
        name,
      ]);
    const results = await Promise.all(['a', 'b', 'c'].map(run));
    expect(results.map((result) => result.stdout)).toEqual(['done', 'done', 'done']);
    await open(path);
    const database = new LibsqlDatabase(path);
    expect(database.prepare('select count(*) as n from payloads').all([])).toEqual([{ n: 60 }]);
    database.close();
  }, 40_000);

  it('keeps its locks when the same process opens the file again, so that no other takes itself for the last', async () => {
    const path = join(folder, 'gantry.db');
    const first = await open(path);
    await first.payloads.put(Buffer.from('before'), 1);
    await (await open(path)).payloads.put(Buffer.from('second'), 1);
    const visitor = `
      const { openStore } = await import(process.argv[1]);
      const quiet = () => undefined;
      const logger = { error: quiet, warn: quiet, info: quiet, debug: quiet };
      await (await openStore({ url: process.argv[2], logger })).close();
    `;
    const index = new URL('./index.js', import.meta.url).href;
    await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '-e',
      visitor,
      index,
      `file:${path}`,
    ]);
    expect(statSync(`${path}-wal`).isFile()).toBe(true);
    const sha256 = await first.payloads.put(Buffer.from('after'), 1);
    expect(await (await open(path)).payloads.get(sha256)).toBeDefined();
  }, 40_000);
});
