import type { Logger } from '@gantry/kernel';
import { AppError } from '@gantry/kernel';
import { PostgresDialect, sql } from 'kysely';
import type { StoreDialect } from '../../store-dialect.js';
import { isPassing } from './postgres-errors.js';
import { createPostgresPool } from './postgres-pool.js';

export interface PostgresOptions {
  readonly timeoutMs: number;
  readonly poolSize: number;
  readonly logger: Logger;
}

/** A migration may rewrite a large table, and waits for the other processes that start. */
const migrationTimeoutMs = 10 * 60_000;

export function postgresDialect(url: string, options: PostgresOptions): StoreDialect {
  const location = locationOf(url);
  const { poolSize, timeoutMs, logger } = options;
  const connect = (size: number, limitMs: number) =>
    new PostgresDialect({
      pool: createPostgresPool({
        url,
        location,
        size,
        timeoutMs: limitMs,
        connectTimeoutMs: timeoutMs,
        logger,
      }),
    });
  return {
    kind: 'postgres',
    location,
    columns: {
      bytes: sql`bytea`,
      key: sql`text collate "C"`,
      int64: sql`bigint`,
      autoIncrement: (column) => column.primaryKey().generatedByDefaultAsIdentity(),
    },
    connect: () => connect(poolSize, timeoutMs),
    connectForMigration: () => connect(1, migrationTimeoutMs),
    lockUntilCommit: async (transaction, lock) => {
      await sql`select pg_advisory_xact_lock(hashtextextended(${lock}, 0))`.execute(transaction);
    },
    isPassing,
  };
}

/** Host, port and database, without user, password and options. */
function locationOf(url: string): string {
  if (!URL.canParse(url))
    throw new AppError('invalid-request', 'The store URL is not a valid postgres:// URL');
  const { hostname, port, pathname } = new URL(url);
  return `postgres://${hostname}${port === '' ? '' : `:${port}`}${pathname}`;
}
