import type { Kysely, Migration } from 'kysely';
import type { ColumnTypes } from '../store-dialect.js';

/** Edge nodes of a bridge, and the keys that it signs their credentials and statements with. */
export const nodes = ({ key, int64 }: ColumnTypes): Migration => ({
  up: async (db: Kysely<unknown>) => {
    await db.schema
      .createTable('nodes')
      .addColumn('name', key, (column) => column.primaryKey())
      .addColumn('owner', key, (column) => column.notNull())
      .addColumn('kind', key)
      .addColumn('created_at_ms', int64, (column) => column.notNull())
      .addColumn('last_seen_ms', int64)
      .addColumn('lease_epoch', int64, (column) => column.notNull())
      .addColumn('credential_id', key)
      .addColumn('revoked', 'integer', (column) => column.notNull())
      .addColumn('enrolment_sha256', key)
      .addColumn('enrolment_expires_ms', int64)
      .addColumn('labels_json', 'text', (column) => column.notNull())
      .addColumn('grants_json', 'text', (column) => column.notNull())
      .addColumn('settings_json', 'text')
      .addColumn('report_json', 'text')
      .execute();
    await db.schema.createIndex('nodes_by_owner').on('nodes').column('owner').execute();
    await db.schema
      .createTable('bridge_keys')
      .addColumn('id', int64, (column) => column.primaryKey())
      .addColumn('private_key', 'text', (column) => column.notNull())
      .addColumn('public_key', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', int64, (column) => column.notNull())
      .execute();
  },
});
