/**
 * What the two databases do differently. Everything else is written once, over kysely.
 */
import type { ColumnDefinitionBuilder, Dialect, Kysely, RawBuilder } from 'kysely';
import type { StoreInfo } from './ports.js';
import type { Tables } from './schema.js';

export interface StoreDialect {
  readonly kind: StoreInfo['kind'];
  /** Safe to print. */
  readonly location: string;
  readonly columns: ColumnTypes;
  /** For the calls of the ports: every statement has a deadline. */
  connect(): Dialect;
  /** For migrations: one connection that may wait for another process that migrates. */
  connectForMigration(): Dialect;
  /**
   * Keeps other transactions out that name the same lock until this one ends.
   * Nothing to do where write transactions are serial anyway.
   */
  lockUntilCommit(transaction: Kysely<Tables>, lock: string): Promise<void>;
  /** Whether a failed start may succeed a moment later: a locked file, a server that is still starting. */
  isPassing(error: unknown): boolean;
}

export interface ColumnTypes {
  readonly bytes: RawBuilder<unknown>;
  /** Text whose order is that of its bytes, whatever the locale of the database. */
  readonly key: RawBuilder<unknown>;
  readonly int64: RawBuilder<unknown>;
  /** A primary key that counts from 1 and never gives a number twice. */
  autoIncrement(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder;
}
