import type { AgentConfigDocument, AgentInfo, NodeGrant } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { Selectable } from 'kysely';
import type { Connection } from '../connection.js';
import { decodeCursor, toPage } from '../cursor.js';
import type { EdgeNode, LeaseHolder, NodeStore } from '../ports.js';
import type { NodesTable } from '../schema.js';

export const createNodeStore = ({ db, dialect }: Connection): NodeStore => ({
  create: (node) =>
    db.transaction().execute(async (transaction) => {
      const lower = node.name.toLowerCase();
      await dialect.lockUntilCommit(transaction, `node-name ${lower}`);
      const taken = await transaction
        .selectFrom('nodes')
        .select('name')
        .where((eb) => eb.fn<string>('lower', ['name']), '=', lower)
        .executeTakeFirst();
      if (taken !== undefined) return false;
      const row = await transaction
        .insertInto('nodes')
        .values({
          name: node.name,
          owner: node.owner,
          kind: null,
          created_at_ms: node.createdAtMs,
          last_seen_ms: null,
          lease_epoch: 0,
          credential_id: null,
          revoked: 0,
          enrolment_sha256: node.tokenSha256,
          enrolment_expires_ms: node.tokenExpiresAtMs,
          labels_json: JSON.stringify(node.labels),
          grants_json: '[]',
          settings_json: null,
          report_json: null,
          held_by_json: null,
        })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .returning('name')
        .executeTakeFirst();
      return row !== undefined;
    }),

  hasEnrolment: async (name, tokenSha256, nowMs) => {
    const row = await db
      .selectFrom('nodes')
      .select('name')
      .where('name', '=', name)
      .where('enrolment_sha256', '=', tokenSha256)
      .where('enrolment_expires_ms', '>', nowMs)
      .executeTakeFirst();
    return row !== undefined;
  },

  renewEnrolment: async (name, tokenSha256, expiresAtMs) => {
    const { numUpdatedRows } = await db
      .updateTable('nodes')
      .set({ enrolment_sha256: tokenSha256, enrolment_expires_ms: expiresAtMs })
      .where('name', '=', name)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  redeem: async ({ name, tokenSha256, credentialId, nowMs }) => {
    const { numUpdatedRows } = await db
      .updateTable('nodes')
      .set((eb) => ({
        enrolment_sha256: null,
        enrolment_expires_ms: null,
        credential_id: credentialId,
        revoked: 0,
        // Whoever held the name with the credential before is fenced.
        lease_epoch: eb('lease_epoch', '+', 1),
        held_by_json: null,
      }))
      .where('name', '=', name)
      .where('enrolment_sha256', '=', tokenSha256)
      .where('enrolment_expires_ms', '>', nowMs)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  acquireLease: async ({ name, credentialId, holder, kind, nowMs }) => {
    let update = db
      .updateTable('nodes')
      .set((eb) => ({
        lease_epoch: eb('lease_epoch', '+', 1),
        last_seen_ms: nowMs,
        kind,
        held_by_json: JSON.stringify(holder),
      }))
      .where('name', '=', name)
      .where('revoked', '=', 0);
    update =
      credentialId === null
        ? update.where('credential_id', 'is', null)
        : update.where('credential_id', '=', credentialId);
    const row = await update.returning('lease_epoch').executeTakeFirst();
    return row?.lease_epoch;
  },

  releaseLease: async (name, leaseEpoch, nowMs) => {
    const { numUpdatedRows } = await db
      .updateTable('nodes')
      .set({ held_by_json: null, last_seen_ms: nowMs })
      .where('name', '=', name)
      .where('lease_epoch', '=', leaseEpoch)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  touch: async (name, leaseEpoch, nowMs) => {
    const { numUpdatedRows } = await db
      .updateTable('nodes')
      .set({ last_seen_ms: nowMs })
      .where('name', '=', name)
      .where('lease_epoch', '=', leaseEpoch)
      .where('revoked', '=', 0)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  saveReport: async (name, leaseEpoch, report) => {
    const { numUpdatedRows } = await db
      .updateTable('nodes')
      .set({ report_json: JSON.stringify(report) })
      .where('name', '=', name)
      .where('lease_epoch', '=', leaseEpoch)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  find: async (name) => {
    const row = await db.selectFrom('nodes').selectAll().where('name', '=', name).executeTakeFirst();
    return row === undefined ? undefined : toNode(row);
  },

  list: async ({ limit, cursor }) => {
    let query = db
      .selectFrom('nodes')
      .selectAll()
      .orderBy('name')
      .limit(limit + 1);
    if (cursor !== undefined) {
      const [name] = decodeCursor(cursor, ['string']);
      query = query.where('name', '>', String(name));
    }
    return toPage(await query.execute(), limit, (row) => [row.name], toNode);
  },

  countOwnedBy: async (owner) => {
    const row = await db
      .selectFrom('nodes')
      .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
      .where('owner', '=', owner)
      .executeTakeFirst();
    return Number(row?.count ?? 0);
  },

  setGrants: async (name, grants) => {
    const { numUpdatedRows } = await db
      .updateTable('nodes')
      .set({ grants_json: JSON.stringify(grants) })
      .where('name', '=', name)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  setSettings: (name, settings, expectedRevision) =>
    db.transaction().execute(async (transaction) => {
      await dialect.lockUntilCommit(transaction, `node-settings ${name}`);
      const row = await transaction
        .selectFrom('nodes')
        .select('settings_json')
        .where('name', '=', name)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const before = row.settings_json === null ? undefined : parseSettings(row.settings_json);
      const known = before?.revision ?? 0;
      if (expectedRevision !== undefined && expectedRevision !== known)
        throw new AppError(
          'precondition-failed',
          `The settings have revision ${known}, not ${expectedRevision}`,
        );
      const document = { ...settings, revision: known + 1 };
      await transaction
        .updateTable('nodes')
        .set({ settings_json: JSON.stringify(document) })
        .where('name', '=', name)
        .execute();
      return document;
    }),

  revoke: async (name) => {
    const { numUpdatedRows } = await db
      .updateTable('nodes')
      .set((eb) => ({
        revoked: 1,
        credential_id: null,
        enrolment_sha256: null,
        enrolment_expires_ms: null,
        lease_epoch: eb('lease_epoch', '+', 1),
        held_by_json: null,
      }))
      .where('name', '=', name)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  remove: async (name) => {
    const { numDeletedRows } = await db.deleteFrom('nodes').where('name', '=', name).executeTakeFirst();
    return numDeletedRows > 0n;
  },
});

const parseSettings = (text: string): AgentConfigDocument => JSON.parse(text) as AgentConfigDocument;

// What stands in these columns was checked before it was written.
const toNode = (row: Selectable<NodesTable>): EdgeNode => ({
  name: row.name,
  owner: row.owner,
  kind: row.kind ?? undefined,
  createdAtMs: row.created_at_ms,
  lastSeenMs: row.last_seen_ms ?? undefined,
  leaseEpoch: row.lease_epoch,
  credentialId: row.credential_id ?? undefined,
  isRevoked: row.revoked === 1,
  labels: JSON.parse(row.labels_json) as Record<string, string>,
  grants: JSON.parse(row.grants_json) as NodeGrant[],
  settings: row.settings_json === null ? undefined : parseSettings(row.settings_json),
  report: row.report_json === null ? undefined : (JSON.parse(row.report_json) as AgentInfo),
  heldBy: row.held_by_json === null ? undefined : (JSON.parse(row.held_by_json) as LeaseHolder),
});
