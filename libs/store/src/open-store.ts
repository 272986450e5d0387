import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, type Clock, fullJitterMs, type Logger, systemClock } from '@gantry/kernel';
import { Kysely } from 'kysely';
import { libsqlDialect } from './adapters/libsql/libsql-dialect.js';
import { postgresDialect } from './adapters/postgres/postgres-dialect.js';
import { CallGuard } from './call-guard.js';
import type { Connection } from './connection.js';
import { migrate } from './migrations/migrate.js';
import type { Store } from './ports.js';
import { createAccountStore } from './repositories/accounts.js';
import { createClusterStore } from './repositories/clusters.js';
import { createDocumentStore } from './repositories/documents.js';
import { createExecutionStore } from './repositories/executions.js';
import { createKeyStore } from './repositories/keys.js';
import { createLabelSettingsStore } from './repositories/label-settings.js';
import { createNodeStore } from './repositories/nodes.js';
import { createPayloadStore } from './repositories/payloads.js';
import { createTokenLog } from './repositories/tokens.js';
import type { Tables } from './schema.js';
import type { StoreDialect } from './store-dialect.js';

export interface StoreOptions {
  /** `file:<path>` (relative to the working directory, or absolute) or `postgres://user:password@host:port/database`. */
  readonly url: string;
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
  /** The longest a call may take. Default 5000. */
  readonly timeoutMs?: number | undefined;
  /** How long a start may wait for a locked file or a server that is starting. Default 15000. */
  readonly startTimeoutMs?: number | undefined;
  /** Connections to PostgreSQL. Default 10. */
  readonly poolSize?: number | undefined;
  /** Calls under way at once, waiting ones included. Default 4096. */
  readonly maxCalls?: number | undefined;
}

/**
 * Opens the store and brings its schema up to date. The caller closes it.
 *
 * @example
 * const store = await openStore({ url: 'file:./data/gantry.db', logger });
 * await store.check();
 * await store.close();
 *
 * @throws {AppError} store-unavailable · internal-error when the store is of a newer version than this code ·
 * invalid-request when the URL is of no known kind
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { logger, clock = systemClock, timeoutMs = 5000, startTimeoutMs = 15_000, maxCalls = 4096 } = options;
  const dialect = dialectFor(options.url, { timeoutMs, poolSize: options.poolSize ?? 10, logger });
  const { location, kind } = dialect;
  const { migrationVersion, db } = await untilPassed(dialect, startTimeoutMs, async () => ({
    migrationVersion: await migrate(dialect),
    db: new Kysely<Tables>({ dialect: dialect.connect() }),
  }));
  const connection: Connection = { db, dialect, clock };
  const guard = new CallGuard({ timeoutMs, maxCalls, location, logger });
  let closing: Promise<void> | undefined;
  logger.info('store.opened', { kind, location, migrationVersion });
  return {
    info: { kind, location, migrationVersion },
    accounts: guard.wrap(createAccountStore(connection)),
    documents: guard.wrap(createDocumentStore(connection)),
    clusters: guard.wrap(createClusterStore(connection)),
    keys: guard.wrap(createKeyStore(connection)),
    tokens: guard.wrap(createTokenLog(connection)),
    executions: guard.wrap(createExecutionStore(connection)),
    payloads: guard.wrap(createPayloadStore(connection)),
    nodes: guard.wrap(createNodeStore(connection)),
    labelSettings: guard.wrap(createLabelSettingsStore(connection)),
    bridgeKeys: guard.wrap(createKeyStore(connection, 'bridge_keys')),
    check: () => guard.run('check', () => writeAndRead(connection)),
    close: () => {
      closing ??= guard.close().then(() => db.destroy());
      return closing;
    },
  };
}

/** Tries again while the file is locked or the server still starts. */
async function untilPassed<T>(dialect: StoreDialect, timeoutMs: number, start: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      const waitMs = 20 + fullJitterMs(attempt, 50, 1000);
      if (!dialect.isPassing(error) || performance.now() + waitMs >= deadlineMs) throw error;
      await sleep(waitMs);
    }
  }
}

interface DialectOptions {
  readonly timeoutMs: number;
  readonly poolSize: number;
  readonly logger: Logger;
}

function dialectFor(url: string, options: DialectOptions): StoreDialect {
  if (url.startsWith('file:')) return libsqlDialect(url, options);
  if (/^postgres(ql)?:\/\//.test(url)) return postgresDialect(url, options);
  // Only the scheme is repeated: the rest may hold a password.
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? 'no scheme';
  throw new AppError(
    'invalid-request',
    `The store URL must start with "file:" or "postgres://" (found ${scheme})`,
  );
}

async function writeAndRead({ db }: Connection): Promise<void> {
  const nonce = randomUUID();
  const row = await db
    .insertInto('store_health')
    .values({ id: 1, nonce })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ nonce }))
    .returning('nonce')
    .executeTakeFirst();
  if (row?.nonce !== nonce)
    throw new AppError('store-unavailable', 'The store did not keep what was written');
  await db.selectFrom('store_health').select('nonce').where('id', '=', 1).executeTakeFirstOrThrow();
}
