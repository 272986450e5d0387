/**
 * One libsql connection as kysely's SQLite driver wants it. libsql is a native module: what it cannot bind ends the
 * process instead of throwing, so nothing reaches it unchecked.
 *
 * I1 Only null, text, safe integers, finite numbers and bytes are bound; flags become 0 or 1; the rest is refused.
 * I2 Whole numbers are bound as integers: libsql binds a JavaScript number as REAL.
 * I3 Every error leaves as an AppError.
 */
import { AppError } from '@gantry/kernel';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import Libsql from 'libsql';
import { toStorableText } from '../../storable-text.js';
import { toStoreError } from './libsql-errors.js';

type Native = InstanceType<typeof Libsql>;
type NativeStatement = ReturnType<Native['prepare']>;

export class LibsqlDatabase implements SqliteDatabase {
  readonly #native: Native;
  readonly #path: string;
  #isOpen = true;

  /** Opens the file; a statement waits at most `busyTimeoutMs` (the process with it) for another process. */
  constructor(path: string, busyTimeoutMs: number) {
    this.#path = path;
    this.#native = this.#mapped(() => new Libsql(path));
    try {
      this.#mapped(() => {
        this.#native.exec(`pragma busy_timeout = ${busyTimeoutMs}`);
        this.#native.exec('pragma foreign_keys = on');
        this.#native.prepare('pragma journal_mode = wal').all();
        // WAL with anything less than FULL may lose acknowledged rows when the power goes.
        this.#native.exec('pragma synchronous = full');
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get isInTransaction(): boolean {
    return this.#isOpen && this.#native.inTransaction;
  }

  prepare(sql: string): SqliteStatement {
    const statement = this.#mapped(() => this.#native.prepare(sql));
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
    this.#native.close();
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
  if (!Array.isArray(parameters)) throw new AppError('internal-error', 'Parameters of a statement must be an array');
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
