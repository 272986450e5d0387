import { type Dialect, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, sql } from 'kysely';
import type { StoreDialect } from '../../store-dialect.js';
import { pathOf, prepareFile } from './database-file.js';
import { LibsqlDatabase } from './libsql-database.js';
import { LibsqlDriver } from './libsql-driver.js';
import { isBusy } from './libsql-errors.js';

/** SQLite can roll back schema changes; with this kysely migrates in one write transaction, which is the lock. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** A file of its own, in WAL mode with full sync, readable by its owner only. */
export function libsqlDialect(url: string, options: { timeoutMs: number }): StoreDialect {
  const path = pathOf(url);
  const connect = (): Dialect => {
    prepareFile(path);
    const database = new LibsqlDatabase(path);
    return {
      createAdapter: () => new TransactionalSqliteAdapter(),
      createDriver: () => new LibsqlDriver(database, options.timeoutMs),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    };
  };
  return {
    kind: 'libsql',
    location: path,
    columns: {
      bytes: sql`blob`,
      key: sql`text`,
      int64: sql`integer`,
      autoIncrement: (column) => column.primaryKey().autoIncrement(),
    },
    connect,
    connectForMigration: connect,
    // Write transactions are serial: they begin as writers.
    lockUntilCommit: async () => undefined,
    isPassing: isBusy,
  };
}
