import type { Kysely, Migration } from 'kysely';
import type { ColumnTypes } from '../store-dialect.js';

/** Settings of all nodes with a label. */
export const labelSettings = ({ key, int64 }: ColumnTypes): Migration => ({
  up: async (db: Kysely<unknown>) => {
    await db.schema
      .createTable('label_settings')
      .addColumn('label', key, (column) => column.primaryKey())
      .addColumn('revision', int64, (column) => column.notNull())
      .addColumn('settings_json', 'text', (column) => column.notNull())
      .execute();
  },
});
