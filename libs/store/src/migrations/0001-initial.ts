import { type Kysely, type Migration, sql } from 'kysely';
import type { ColumnTypes } from '../store-dialect.js';

/** The tables of functions, requirements, accounts, clusters, keys, tokens, executions and payloads. */
export const initial = (columns: ColumnTypes): Migration => ({
  up: async (db: Kysely<unknown>) => {
    await createAccounts(db, columns);
    await createDocuments(db, columns);
    await createTrust(db, columns);
    await createExecutions(db, columns);
    await createPayloads(db, columns);
  },
});

async function createAccounts(db: Kysely<unknown>, { key, int64 }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('accounts')
    .addColumn('name', key, (column) => column.primaryKey())
    .addColumn('role', key, (column) => column.notNull())
    .addColumn('org', key)
    .addColumn('password_hash', 'text', (column) => column.notNull())
    .addColumn('created_at_ms', int64, (column) => column.notNull())
    .addColumn('quota_functions', int64, (column) => column.notNull())
    .addColumn('quota_function_bytes', int64, (column) => column.notNull())
    .execute();
}

async function createDocuments(db: Kysely<unknown>, columns: ColumnTypes): Promise<void> {
  const { key, int64 } = columns;
  await db.schema
    .createTable('documents')
    .addColumn('id', int64, columns.autoIncrement)
    .addColumn('kind', key, (column) => column.notNull())
    .addColumn('owner', key, (column) => column.notNull())
    .addColumn('created_at_ms', int64, (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('documents_by_owner')
    .on('documents')
    .columns(['owner', 'kind', 'id'])
    .execute();
  await db.schema
    .createTable('functions')
    .addColumn('id', int64, (column) => column.primaryKey().references('documents.id').onDelete('cascade'))
    .addColumn('owner', key, (column) => column.notNull())
    .addColumn('name', 'text')
    .addColumn('language', key, (column) => column.notNull())
    .addColumn('client_hash', 'text', (column) => column.notNull())
    .addColumn('sha256', key, (column) => column.notNull())
    .addColumn('size_bytes', int64, (column) => column.notNull())
    .addColumn('created_at_ms', int64, (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('functions_identity')
    .unique()
    .on('functions')
    .columns(['owner', 'language', 'sha256'])
    .execute();
  await db.schema
    .createTable('function_code')
    .addColumn('function_id', int64, (column) =>
      column.primaryKey().references('functions.id').onDelete('cascade'),
    )
    .addColumn('code', columns.bytes, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('requirements')
    .addColumn('id', int64, (column) => column.primaryKey().references('documents.id').onDelete('cascade'))
    .addColumn('owner', key, (column) => column.notNull())
    .addColumn('body_json', 'text', (column) => column.notNull())
    .addColumn('created_at_ms', int64, (column) => column.notNull())
    .execute();
  await db.schema.createIndex('requirements_by_owner').on('requirements').columns(['owner', 'id']).execute();
}

async function createTrust(db: Kysely<unknown>, columns: ColumnTypes): Promise<void> {
  const { key, int64 } = columns;
  await db.schema
    .createTable('clusters')
    .addColumn('id', int64, columns.autoIncrement)
    .addColumn('name', key, (column) => column.notNull().unique())
    .addColumn('token_sha256', key, (column) => column.notNull())
    .addColumn('report_json', 'text')
    .addColumn('last_seen_ms', int64, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('signing_keys')
    .addColumn('id', int64, (column) => column.primaryKey())
    .addColumn('private_key', 'text', (column) => column.notNull())
    .addColumn('public_key', 'text', (column) => column.notNull())
    .addColumn('created_at_ms', int64, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('tokens')
    .addColumn('revocation_id', key, (column) => column.primaryKey())
    .addColumn('account', key)
    .addColumn('expires_at_ms', int64, (column) => column.notNull())
    .addColumn('revoked', 'integer', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('tokens_by_account').on('tokens').column('account').execute();
  await db.schema.createIndex('tokens_by_expiry').on('tokens').column('expires_at_ms').execute();
}

async function createExecutions(db: Kysely<unknown>, { key, int64, bytes }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('executions')
    .addColumn('id', key, (column) => column.primaryKey())
    .addColumn('owner', key, (column) => column.notNull())
    .addColumn('mode', key, (column) => column.notNull())
    .addColumn('status', key, (column) => column.notNull())
    .addColumn('function_id', int64, (column) => column.notNull())
    .addColumn('requirement_id', int64, (column) => column.notNull())
    .addColumn('function_sha256', key, (column) => column.notNull())
    .addColumn('language', key, (column) => column.notNull())
    .addColumn('flavour', key, (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('ret_code', int64)
    .addColumn('err', 'text')
    .addColumn('created_at_ms', int64, (column) => column.notNull())
    .addColumn('started_at_ms', int64)
    .addColumn('finished_at_ms', int64)
    .addColumn('expires_at_ms', int64, (column) => column.notNull())
    .addColumn('queue_ms', int64, (column) => column.notNull())
    .addColumn('run_ms', int64, (column) => column.notNull())
    .addColumn('runtime_id', key)
    .addColumn('progress_per_mille', 'integer')
    .addColumn('traceparent', 'text')
    .addColumn('published_at_ms', int64)
    .addColumn('leased_at_ms', int64)
    .addColumn('purged', 'integer', (column) => column.notNull())
    .addColumn('res', 'text')
    .addColumn('logs', 'text', (column) => column.notNull())
    .execute();
  const index = (name: string) => db.schema.createIndex(name).on('executions');
  await index('executions_by_owner').columns(['owner', 'created_at_ms', 'id']).execute();
  await index('executions_by_age').columns(['created_at_ms', 'id']).execute();
  // Partial indexes stay as small as the work in hand. Queries name the condition as text, never as a parameter:
  // SQLite uses a partial index only when it can prove the condition while it prepares the statement.
  await index('executions_unfinished')
    .columns(['created_at_ms', 'id'])
    .where(sql<boolean>`status in ('queued', 'running')`)
    .execute();
  await index('executions_unpurged')
    .column('finished_at_ms')
    .where(sql<boolean>`purged = 0 and finished_at_ms is not null`)
    .execute();
  await index('executions_purged').column('finished_at_ms').where(sql<boolean>`purged = 1`).execute();
  await db.schema
    .createTable('execution_parameters')
    .addColumn('execution_id', key, (column) =>
      column.primaryKey().references('executions.id').onDelete('cascade'),
    )
    .addColumn('body', bytes, (column) => column.notNull())
    .execute();
}

async function createPayloads(db: Kysely<unknown>, { key, int64, bytes }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('payloads')
    .addColumn('sha256', key, (column) => column.primaryKey())
    .addColumn('put_at_ms', int64, (column) => column.notNull())
    .addColumn('body', bytes, (column) => column.notNull())
    .execute();
  await db.schema.createIndex('payloads_by_age').on('payloads').column('put_at_ms').execute();
  await db.schema
    .createTable('store_health')
    .addColumn('id', int64, (column) => column.primaryKey())
    .addColumn('nonce', 'text', (column) => column.notNull())
    .execute();
}
