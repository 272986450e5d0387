/**
 * Kysely's SQLite driver on the one libsql connection.
 *
 * I1 Calls get the connection one after the other, first come first served. (Kysely's own mutex wakes every waiter
 *    at each release, which costs the square of their number.)
 * I2 Every write begins a write transaction first, alone standing ones too. A transaction that becomes a writer later
 *    fails at once when another process wrote; and a statement that libsql found busy stays open and blocks every later
 *    commit ("SQL statements in progress"), which `begin` does not because it is run and freed in one step.
 * I3 While another connection holds the file, the process does not stand still: libsql answers "busy" at once and the
 *    driver tries again until the deadline.
 * I4 A rollback that has nothing to roll back is not an error: SQLite itself ends a transaction when the disk is full.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fullJitterMs } from '@gantry/kernel';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type QueryResult,
  SelectQueryNode,
  SqliteDriver,
} from 'kysely';
import type { LibsqlDatabase } from './libsql-database.js';
import { isBusy } from './libsql-errors.js';

/** Long enough not to burn the processor, short enough not to be starved by a busy writer. */
const maxRetryMs = 20;

export class LibsqlDriver extends SqliteDriver {
  readonly #database: LibsqlDatabase;
  readonly #timeoutMs: number;
  readonly #waiting: (() => void)[] = [];
  #isTaken = false;

  constructor(database: LibsqlDatabase, timeoutMs: number) {
    super({ database });
    this.#database = database;
    this.#timeoutMs = timeoutMs;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    // I1; the number of waiters is bounded by the calls that the guard admits.
    if (this.#isTaken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#isTaken = true;
    const connection = await super.acquireConnection();
    return {
      executeQuery: (query) => this.#execute(connection, query),
      streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
    };
  }

  override async releaseConnection(): Promise<void> {
    await super.releaseConnection();
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next();
  }

  override beginTransaction(): Promise<void> {
    return this.#untilFree(() => this.#database.begin());
  }

  override async commitTransaction(): Promise<void> {
    this.#database.commit();
  }

  override async rollbackTransaction(): Promise<void> {
    if (this.#database.isInTransaction) this.#database.rollback(); // I4
  }

  async #execute<R>(connection: DatabaseConnection, query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#database.isInTransaction) return connection.executeQuery<R>(query);
    if (SelectQueryNode.is(query.query)) return this.#untilFree(() => connection.executeQuery<R>(query));
    await this.beginTransaction(); // I2
    try {
      const result = await connection.executeQuery<R>(query);
      await this.commitTransaction();
      return result;
    } catch (error) {
      await this.rollbackTransaction();
      throw error;
    }
  }

  // I3
  async #untilFree<T>(work: () => T | Promise<T>): Promise<T> {
    const deadlineMs = performance.now() + this.#timeoutMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (!isBusy(error) || performance.now() >= deadlineMs) throw error;
        await sleep(1 + fullJitterMs(attempt, 2, maxRetryMs));
      }
    }
  }
}
