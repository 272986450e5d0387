import type { Clock } from '@gantry/kernel';
import type { Kysely } from 'kysely';
import type { Tables } from './schema.js';
import type { StoreDialect } from './store-dialect.js';

/** The repositories' share of an open database. */
export interface Connection {
  readonly db: Kysely<Tables>;
  readonly dialect: StoreDialect;
  readonly clock: Clock;
}
