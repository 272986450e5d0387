import { type Logger, silentLogger } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import { Kysely } from 'kysely';
import { libsqlDialect } from '../adapters/libsql/libsql-dialect.js';
import { postgresDialect } from '../adapters/postgres/postgres-dialect.js';
import { openStore } from '../open-store.js';
import {
  aFunction,
  alice,
  anExecution,
  now,
  parameters,
  plenty,
  type StoreContractHarness,
  useStore,
} from './fixtures.js';

export function describeOpening(harness: StoreContractHarness): void {
  describe('opening', () => {
    const opened = useStore(harness);

    it('keeps what was written when it is opened again', async () => {
      const { store, openAnother } = opened();
      const id = await store.documents.putFunction(aFunction('one'), plenty);
      await store.close();
      const again = await openAnother();
      expect(await again.documents.findFunction(id, alice)).toMatchObject({ kind: 'found' });
      expect(again.info).toEqual(store.info);
    });

    it('lets many processes start at once on an empty database', async () => {
      const url = await harness.createDatabase();
      const stores = await Promise.all(
        Array.from({ length: 4 }, () => openStore({ url, logger: silentLogger, poolSize: 2 })),
      );
      try {
        const ids = await Promise.all(
          stores.map((store) => store.documents.putFunction(aFunction('one'), plenty)),
        );
        expect(new Set(ids)).toEqual(new Set([1]));
      } finally {
        await Promise.all(stores.map((store) => store.close()));
      }
    });

    it('upgrades a database of the first version and keeps what is in it', async () => {
      const { store, url, openAnother } = opened();
      await store.executions.accept(anExecution('async.1'), parameters);
      await store.close();
      await takeBackToInitial(url);
      const upgraded = await openAnother();
      expect(upgraded.info.migrationVersion).toBe('0005-label-settings');
      expect(await upgraded.executions.find('async.1')).toEqual(anExecution('async.1'));
      expect(await upgraded.executions.oldestQueuedAtMs('Nature')).toBe(now);
      await upgraded.executions.accept(anExecution('async.2', { isFresh: true }), parameters);
      expect(await upgraded.executions.find('async.2')).toMatchObject({ isFresh: true });
    });

    it('refuses a database that a newer version wrote, and says so', async () => {
      const { url } = opened();
      await addUnknownMigration(url);
      await expect(openStore({ url, logger: silentLogger })).rejects.toMatchObject({
        code: 'internal-error',
        message: expect.stringMatching(/newer version of Gantry.*9999-from-the-future.*Start that version/),
      });
    });

    it('checks itself by writing and reading, as often as asked', async () => {
      const { store } = opened();
      await Promise.all([store.check(), store.check(), store.check()]);
      expect(store.info.migrationVersion).toBe('0005-label-settings');
    });

    it('refuses calls once it is closed, lets running ones end, and closes once', async () => {
      const { store } = opened();
      const running = store.documents.putFunction(aFunction('one'), plenty);
      await Promise.all([store.close(), store.close()]);
      expect(await running).toBe(1);
      await expect(store.check()).rejects.toMatchObject({ code: 'store-unavailable' });
      await expect(store.executions.find('x')).rejects.toMatchObject({ code: 'store-unavailable' });
    });

    it('refuses more calls at once than it was told to hold', async () => {
      const { openAnother } = opened();
      const small = await openAnother({ maxCalls: 2 });
      const results = await Promise.allSettled([small.check(), small.check(), small.check()]);
      expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
      expect(results[2]).toMatchObject({ reason: { code: 'store-unavailable', retryable: true } });
      await small.check();
    });

    it('never writes a password to the log', async () => {
      const { url, openAnother } = opened();
      const lines: string[] = [];
      const note = (message: string, fields?: object) =>
        void lines.push(`${message} ${JSON.stringify(fields)}`);
      const logger: Logger = { error: note, warn: note, info: note, debug: note };
      const store = await openAnother({ logger });
      const password = URL.canParse(url) ? new URL(url).password : '';
      expect(lines.join('\n')).toContain('store.opened');
      for (const text of [...lines, JSON.stringify(store.info)]) {
        expect(password !== '' && text.includes(password)).toBe(false);
      }
    });
  });
}

interface MigrationTables {
  gantry_migration: { name: string; timestamp: string };
}

function connectTo(url: string): Kysely<MigrationTables> {
  const options = { timeoutMs: 5000, poolSize: 1, logger: silentLogger };
  const dialect = url.startsWith('file:') ? libsqlDialect(url, options) : postgresDialect(url, options);
  return new Kysely({ dialect: dialect.connect() });
}

/** Makes the database what the first version left. */
async function takeBackToInitial(url: string): Promise<void> {
  const db = connectTo(url);
  await db.schema.dropIndex('executions_queued').execute();
  await db.schema.alterTable('executions').dropColumn('options_json').execute();
  for (const table of ['nodes', 'bridge_keys', 'label_settings']) await db.schema.dropTable(table).execute();
  await db.deleteFrom('gantry_migration').where('name', '>', '0001-initial').execute();
  await db.destroy();
}

async function addUnknownMigration(url: string): Promise<void> {
  const db = connectTo(url);
  const row = { name: '9999-from-the-future', timestamp: new Date().toISOString() };
  await db.insertInto('gantry_migration').values(row).execute();
  await db.destroy();
}
