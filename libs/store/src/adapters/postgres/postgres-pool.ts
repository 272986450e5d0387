/**
 * A bounded pool of connections as kysely's PostgreSQL driver wants it.
 *
 * I1 A statement ends by its deadline: the server cancels it, and when the server itself is silent, the client gives up.
 * I2 A connection on which anything but a plain refusal happened is thrown away, never used again.
 * I3 Every error leaves as an AppError; the password is in none.
 */
import { AppError, type Logger, messageOf } from '@gantry/kernel';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { toStorableText } from '../../storable-text.js';
import { keepsConnection, toStoreError } from './postgres-errors.js';

/** Past the server's own deadline, so that its answer ("cancelled") usually comes first and the connection lives on. */
const silenceMs = 500;
/** Object ids of the types int8 and numeric: ids, sizes and epoch milliseconds are all below 2^53. */
const numberTypes = [20, 1700];

export interface PostgresPoolOptions {
  readonly url: string;
  readonly location: string;
  readonly size: number;
  /** Limit of a statement. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly logger: Logger;
}

export function createPostgresPool(options: PostgresPoolOptions): PostgresPool {
  const { url, location, size, timeoutMs, connectTimeoutMs, logger } = options;
  const pool = new pg.Pool({
    connectionString: url,
    max: size,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 30_000,
    statement_timeout: timeoutMs,
    idle_in_transaction_session_timeout: timeoutMs,
    query_timeout: timeoutMs + silenceMs, // I1
    keepAlive: true,
    application_name: 'gantry',
    types: { getTypeParser: typeParser },
  });
  // The server may end a connection while a call holds it between two statements; the next statement then fails.
  // Without a listener it would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  // An idle connection that the server closed.
  pool.on('error', (error) => logger.warn('store.connection-lost', { location, detail: messageOf(error) }));
  return {
    connect: async () => {
      try {
        return guardClient(await pool.connect(), location);
      } catch (error) {
        throw toStoreError(error, location);
      }
    },
    end: () => pool.end(),
  };
}

function guardClient(client: pg.PoolClient, location: string): PostgresPoolClient {
  let isBroken = false;
  const query = async (sql: string, parameters: readonly unknown[]) => {
    if (isBroken) throw new AppError('store-unavailable', `The connection to ${location} is lost`);
    try {
      return await client.query(sql, parameters.map(toParameter));
    } catch (error) {
      isBroken ||= !keepsConnection(error);
      throw toStoreError(error, location); // I3
    }
  };
  return {
    // Kysely's type also has an overload for cursors, which it only uses when it was given the `cursor` package.
    query: query as unknown as PostgresPoolClient['query'],
    release: () => client.release(isBroken), // I2
  };
}

const toParameter = (value: unknown): unknown => (typeof value === 'string' ? toStorableText(value) : value);

const typeParser = ((oid: number, format?: 'text' | 'binary') =>
  numberTypes.includes(oid)
    ? Number
    : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser;
