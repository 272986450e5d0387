import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LibsqlDatabase } from './adapters/libsql/libsql-database.js';
import { anExecution } from './contract/fixtures.js';
import { openStore } from './open-store.js';

/** Accepts executions without an end and says the id of each only after it was acknowledged. */
const acceptForever = `
  const { openStore } = await import(process.argv[1]);
  const quiet = () => undefined;
  const logger = { error: quiet, warn: quiet, info: quiet, debug: quiet };
  const store = await openStore({ url: process.argv[2], logger });
  const template = JSON.parse(process.argv[3]);
  const worker = async (name) => {
    for (let n = 0; ; n += 1) {
      const id = name + n;
      await store.executions.accept({ ...template, id }, Buffer.alloc(3000, name));
      if (n % 3 === 0) await store.executions.finish(id, 0, { status: 'succeeded', finishedAtMs: 1, logs: name });
      process.stdout.write(id + '\\n');
    }
  };
  await Promise.all(['a', 'b', 'c'].map(worker));
`;

describe('a libsql store whose process is killed', () => {
  let folder: string;
  let child: ChildProcess | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-crash-'));
  });
  afterEach(() => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('has every acknowledged row afterwards, whole, in every round', async () => {
    const path = join(folder, 'gantry.db');
    const url = `file:${path}`;
    for (const round of [1, 2, 3]) {
      const acknowledged = await writeUntilKilled(url, 60 * round);
      expect(acknowledged.length).toBeGreaterThanOrEqual(60 * round);
      const store = await openStore({ url, logger: silentLogger });
      for (const id of acknowledged) {
        const [name, number] = [id.slice(0, 1), Number(id.slice(1))];
        const status = number % 3 === 0 ? 'succeeded' : 'queued';
        expect(await store.executions.find(id)).toMatchObject({ id, status });
        expect(Buffer.from((await store.executions.readParameters(id)) ?? [])).toEqual(
          Buffer.alloc(3000, name),
        );
      }
      await store.check();
      await store.close();
      const database = new LibsqlDatabase(path);
      expect(database.prepare('pragma integrity_check').all([])).toEqual([{ integrity_check: 'ok' }]);
      expect(database.prepare('pragma foreign_key_check').all([])).toEqual([]);
      database.prepare('delete from executions').run([]);
      database.close();
    }
  }, 60_000);

  function writeUntilKilled(url: string, count: number): Promise<string[]> {
    const index = new URL('./index.js', import.meta.url).href;
    const script = ['--input-type=module', '-e', acceptForever, index, url, JSON.stringify(anExecution(''))];
    const writer = spawn(process.execPath, script, { stdio: ['ignore', 'pipe', 'inherit'] });
    child = writer;
    const acknowledged: string[] = [];
    const lines = createInterface({ input: writer.stdout });
    lines.on('line', (id) => {
      acknowledged.push(id);
      if (acknowledged.length === count) writer.kill('SIGKILL');
    });
    return new Promise((resolve, reject) => {
      writer.once('error', reject);
      // Lines that were written before the kill may still be in the pipe.
      lines.once('close', () => resolve(acknowledged));
    });
  }
});
