/**
 * Kysely's SQLite driver on the one libsql connection.
 *
 * I1 Calls get the connection one after the other, first come first served. (Kysely's own mutex wakes every waiter
 *    at each release, which costs the square of their number.)
 * I2 Transactions start as writers: one that becomes a writer later fails at once when another process wrote.
 * I3 A rollback that has nothing to roll back is not an error: SQLite itself ends a transaction when the disk is full.
 */
import { CompiledQuery, type DatabaseConnection, SqliteDriver } from 'kysely';
import type { LibsqlDatabase } from './libsql-database.js';

export class LibsqlDriver extends SqliteDriver {
  readonly #database: LibsqlDatabase;
  readonly #waiting: (() => void)[] = [];
  #isTaken = false;

  constructor(database: LibsqlDatabase) {
    super({ database });
    this.#database = database;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    // I1; the number of waiters is bounded by the calls that the guard admits.
    if (this.#isTaken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#isTaken = true;
    return super.acquireConnection();
  }

  override async releaseConnection(): Promise<void> {
    await super.releaseConnection();
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next();
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate')); // I2
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.isInTransaction) await super.rollbackTransaction(connection); // I3
  }
}
