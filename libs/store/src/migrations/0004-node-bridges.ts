import type { Kysely, Migration } from 'kysely';

/** Which bridge holds the lease of a node, where several share the store. */
export const nodeBridges: Migration = {
  up: async (db: Kysely<unknown>) => {
    await db.schema.alterTable('nodes').addColumn('held_by_json', 'text').execute();
  },
};
