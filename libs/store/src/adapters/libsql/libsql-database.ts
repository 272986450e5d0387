/**
 * One libsql connection as kysely's SQLite driver wants it. libsql is a native module: what it cannot bind ends the
 * process instead of throwing, so nothing reaches it unchecked.
 *
 * I1 Only null, text, safe integers, finite numbers and bytes are bound; flags become 0 or 1; the rest is refused.
 * I2 Whole numbers are bound as integers: libsql binds a JavaScript number as REAL.
 * I3 Every error leaves as an AppError.
 * I4 At most `maxPrepared` prepared statements are kept for the next time; preparing costs more than most of them.
 */
import { AppError } from '@gantry/kernel';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import Libsql from 'libsql';
import { toStorableText } from '../../storable-text.js';
import { toStoreError } from './libsql-errors.js';

type Native = InstanceType<typeof Libsql>;
type NativeStatement = ReturnType<Native['prepare']>;

/** Another process may be recovering the file or turning on WAL at this moment. */
const openBusyTimeoutMs = 250;

/** All single statements of the repositories fit; batches of many rows are long, and seldom the same twice. */
const maxPrepared = 128;
const maxPreparedLength = 4000;

export class LibsqlDatabase implements SqliteDatabase {
  readonly #native: Native;
  readonly #path: string;
  readonly #statements = new Map<string, NativeStatement>();
  #isOpen = true;

  constructor(path: string) {
    this.#path = path;
    this.#native = this.#mapped(() => new Libsql(path));
    try {
      this.#mapped(() => {
        this.#native.exec(`pragma busy_timeout = ${openBusyTimeoutMs}`);
        this.#native.exec('pragma foreign_keys = on');
        this.#native.exec('pragma journal_mode = wal');
        // WAL with anything less than FULL may lose acknowledged rows when the power goes.
        this.#native.exec('pragma synchronous = full');
        // From here on a busy file is answered at once; the driver waits without holding up the process.
        this.#native.exec('pragma busy_timeout = 0');
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get isInTransaction(): boolean {
    return this.#isOpen && this.#native.inTransaction;
  }

  begin(): void {
    this.#mapped(() => this.#native.exec('begin immediate'));
  }

  commit(): void {
    this.#mapped(() => this.#native.exec('commit'));
  }

  rollback(): void {
    this.#mapped(() => this.#native.exec('rollback'));
  }

  prepare(sql: string): SqliteStatement {
    const statement = this.#mapped(() => this.#prepared(sql));
    return {
      reader: statement.reader,
      all: (parameters) => this.#mapped(() => statement.all(toBindings(parameters))),
      run: (parameters) => this.#mapped(() => run(statement, toBindings(parameters))),
      iterate: (parameters) => this.#mapped(() => statement.iterate(toBindings(parameters))),
    };
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#statements.clear();
    this.#native.close();
  }

  // I4; a Map keeps the order of insertion, so the first is the one that was not used for longest.
  #prepared(sql: string): NativeStatement {
    const known = this.#statements.get(sql);
    this.#statements.delete(sql);
    const statement = known ?? this.#native.prepare(sql);
    if (sql.length > maxPreparedLength) return statement;
    this.#statements.set(sql, statement);
    if (this.#statements.size > maxPrepared) {
      const [oldest] = this.#statements.keys();
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    return statement;
  }

  // I3
  #mapped<T>(work: () => T): T {
    if (!this.#isOpen) throw new AppError('store-unavailable', 'The store is closed');
    try {
      return work();
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw toStoreError(error, this.#path);
    }
  }
}

const run = (statement: NativeStatement, bindings: unknown[]) => {
  const { changes, lastInsertRowid } = statement.run(bindings);
  return { changes, lastInsertRowid };
};

/** @throws {AppError} internal-error when something cannot be bound */
export function toBindings(parameters: unknown): unknown[] {
  if (!Array.isArray(parameters))
    throw new AppError('internal-error', 'Parameters of a statement must be an array');
  return parameters.map(toBinding);
}

// I1, I2
function toBinding(value: unknown): unknown {
  if (value === null) return null;
  if (typeof value === 'string') return toStorableText(value);
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  throw new AppError('internal-error', `A statement cannot bind a value of type ${typeof value}`);
}
