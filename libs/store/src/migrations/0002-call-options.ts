import { type Kysely, type Migration, sql } from 'kysely';

/**
 * What an execution asks of its runtime beyond time (a fresh realm, lower limits), so that it is still asked when the
 * execution is published again; and an index that finds the longest waiting execution of a flavour.
 */
export const callOptions: Migration = {
  up: async (db: Kysely<unknown>) => {
    await db.schema.alterTable('executions').addColumn('options_json', 'text').execute();
    await db.schema
      .createIndex('executions_queued')
      .on('executions')
      .columns(['flavour', 'mode', 'created_at_ms'])
      .where(sql<boolean>`status = 'queued'`)
      .execute();
  },
};
