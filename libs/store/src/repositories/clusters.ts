import { clusterReportSchema } from '@gantry/contracts';
import type { Selectable } from 'kysely';
import type { Connection } from '../connection.js';
import type { Cluster, ClusterStore } from '../ports.js';
import type { ClustersTable } from '../schema.js';

export const createClusterStore = ({ db }: Connection): ClusterStore => ({
  enrol: async (name, tokenSha256, atMs) => {
    await db
      .insertInto('clusters')
      .values({ name, token_sha256: tokenSha256, report_json: null, last_seen_ms: atMs })
      // A new token does not make a silent cluster live: it was last seen when it last reported.
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ token_sha256: tokenSha256 }))
      .execute();
  },

  isEnrolled: async (name, tokenSha256) => {
    const row = await db
      .selectFrom('clusters')
      .select('id')
      .where('name', '=', name)
      .where('token_sha256', '=', tokenSha256)
      .executeTakeFirst();
    return row !== undefined;
  },

  report: async (name, tokenSha256, report, atMs) => {
    const { numUpdatedRows } = await db
      .updateTable('clusters')
      .set({ report_json: JSON.stringify(report), last_seen_ms: atMs })
      .where('name', '=', name)
      .where('token_sha256', '=', tokenSha256)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  list: async () => {
    const rows = await db
      .selectFrom('clusters')
      .select(['id', 'name', 'report_json', 'last_seen_ms'])
      .orderBy('id')
      .execute();
    return rows.map(toCluster);
  },

  remove: async (name) => {
    const { numDeletedRows } = await db.deleteFrom('clusters').where('name', '=', name).executeTakeFirst();
    return numDeletedRows > 0n;
  },
});

const toCluster = (row: Omit<Selectable<ClustersTable>, 'token_sha256'>): Cluster => ({
  id: row.id,
  name: row.name,
  report: row.report_json === null ? undefined : clusterReportSchema.parse(JSON.parse(row.report_json)),
  lastSeenMs: row.last_seen_ms,
});
