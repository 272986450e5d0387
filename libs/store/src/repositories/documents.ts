/**
 * Functions and requirements.
 *
 * I1 Every document has a row in `documents`, whose ids count from 1 and never come back.
 * I2 A function is the same only if owner, language and sha256 are; a unique index and the owner's lock keep it so.
 * I3 Quotas are checked under the owner's lock, in the transaction that inserts.
 */
import { isAdministrator, mayAccess, type Principal, type Requirement } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import { type Kysely, type Selectable, sql } from 'kysely';
import { toBytes } from '../blob.js';
import type { Connection } from '../connection.js';
import { decodeCursor, toPage } from '../cursor.js';
import type { DocumentStore, Found, NewFunction, StoredFunction, StoredRequirement } from '../ports.js';
import type { DocumentsTable, FunctionsTable, RequirementsTable, Tables } from '../schema.js';

type Kind = DocumentsTable['kind'];
interface Quota {
  readonly functions: number;
  readonly bytes: number;
}

/** The lock that serialises what changes the documents of one owner. */
export const documentsOf = (owner: string): string => `documents of ${owner}`;

/** Functions, their code and requirements. */
export async function removeDocumentsOf(db: Kysely<Tables>, owner: string): Promise<void> {
  await db.deleteFrom('documents').where('owner', '=', owner).execute();
}

export const createDocumentStore = ({ db, dialect }: Connection): DocumentStore => ({
  putFunction: (fn, quota) =>
    db.transaction().execute(async (transaction) => {
      await dialect.lockUntilCommit(transaction, documentsOf(fn.owner));
      const existing = await transaction
        .selectFrom('functions')
        .select('id')
        .where('owner', '=', fn.owner)
        .where('language', '=', fn.language)
        .where('sha256', '=', fn.sha256)
        .executeTakeFirst();
      if (existing !== undefined) return existing.id; // I2
      await checkQuota(transaction, fn, quota); // I3
      return insertFunction(transaction, fn);
    }),

  findFunction: async (id, principal) => {
    const row = await db.selectFrom('functions').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined || !mayAccess(principal, row.owner))
      return otherwise(db, id, principal, 'function');
    return { kind: 'found', document: toFunction(row) };
  },

  readCode: async (id, principal) => {
    const row = await db
      .selectFrom('functions')
      .innerJoin('function_code', 'function_code.function_id', 'functions.id')
      .select(['functions.owner', 'function_code.code'])
      .where('functions.id', '=', id)
      .executeTakeFirst();
    return row === undefined || !mayAccess(principal, row.owner) ? undefined : toBytes(row.code);
  },

  listFunctions: async (principal, { limit, cursor }) => {
    let query = db
      .selectFrom('functions')
      .selectAll()
      .orderBy('id')
      .limit(limit + 1);
    if (!isAdministrator(principal)) query = query.where('owner', '=', principal.user);
    if (cursor !== undefined) query = query.where('id', '>', idIn(cursor));
    return toPage(await query.execute(), limit, (row) => [row.id], toFunction);
  },

  removeFunction: (id, principal) => remove(db, id, principal, 'function'),

  putRequirement: (owner, requirement, createdAtMs) =>
    db.transaction().execute(async (transaction) => {
      await dialect.lockUntilCommit(transaction, documentsOf(owner));
      const id = await insertDocument(transaction, {
        kind: 'requirement',
        owner,
        created_at_ms: createdAtMs,
      });
      const body_json = JSON.stringify(requirement);
      await transaction
        .insertInto('requirements')
        .values({ id, owner, body_json, created_at_ms: createdAtMs })
        .execute();
      return id;
    }),

  replaceRequirement: async (id, principal, requirement) => {
    const updated = await ofPrincipal(
      db
        .updateTable('requirements')
        .set({ body_json: JSON.stringify(requirement) })
        .where('id', '=', id),
      principal,
    ).executeTakeFirst();
    if (updated.numUpdatedRows === 0n) return otherwise(db, id, principal, 'requirement');
    return { kind: 'found', document: true };
  },

  findRequirement: async (id, principal) => {
    const row = await db.selectFrom('requirements').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined || !mayAccess(principal, row.owner))
      return otherwise(db, id, principal, 'requirement');
    return { kind: 'found', document: toRequirement(row) };
  },

  listRequirements: async (principal, { limit, cursor }) => {
    let query = db
      .selectFrom('requirements')
      .selectAll()
      .orderBy('id')
      .limit(limit + 1);
    if (!isAdministrator(principal)) query = query.where('owner', '=', principal.user);
    if (cursor !== undefined) query = query.where('id', '>', idIn(cursor));
    return toPage(await query.execute(), limit, (row) => [row.id], toRequirement);
  },

  removeRequirement: (id, principal) => remove(db, id, principal, 'requirement'),
});

async function checkQuota(db: Kysely<Tables>, fn: NewFunction, quota: Quota): Promise<void> {
  const used = await db
    .selectFrom('functions')
    .select([
      sql<number>`count(*)`.as('functions'),
      sql<number>`cast(coalesce(sum(size_bytes), 0) as bigint)`.as('bytes'),
    ])
    .where('owner', '=', fn.owner)
    .executeTakeFirstOrThrow();
  if (used.functions + 1 > quota.functions) {
    throw new AppError('quota-exceeded', `The account ${fn.owner} may store ${quota.functions} functions`);
  }
  if (used.bytes + fn.code.byteLength > quota.bytes) {
    const detail = `The functions of ${fn.owner} may take ${quota.bytes} bytes together; ${used.bytes} are used`;
    throw new AppError('quota-exceeded', detail);
  }
}

async function insertFunction(db: Kysely<Tables>, fn: NewFunction): Promise<number> {
  const { owner, language, sha256, createdAtMs } = fn;
  const id = await insertDocument(db, { kind: 'function', owner, created_at_ms: createdAtMs });
  const row = { id, owner, language, sha256, name: fn.name ?? null, client_hash: fn.clientHash };
  const size = { size_bytes: fn.code.byteLength, created_at_ms: createdAtMs };
  await db
    .insertInto('functions')
    .values({ ...row, ...size })
    .execute();
  await db.insertInto('function_code').values({ function_id: id, code: fn.code }).execute();
  return id;
}

// I1
async function insertDocument(
  db: Kysely<Tables>,
  row: { kind: Kind; owner: string; created_at_ms: number },
): Promise<number> {
  const { id } = await db.insertInto('documents').values(row).returning('id').executeTakeFirstOrThrow();
  return id;
}

/** Deletes the row in `documents`; the rest follows by its foreign keys. */
async function remove(
  db: Kysely<Tables>,
  id: number,
  principal: Principal,
  kind: Kind,
): Promise<Found<true>> {
  let query = db.deleteFrom('documents').where('id', '=', id).where('kind', '=', kind);
  if (!isAdministrator(principal)) query = query.where('owner', '=', principal.user);
  const { numDeletedRows } = await query.executeTakeFirst();
  return numDeletedRows === 0n ? otherwise(db, id, principal, kind) : { kind: 'found', document: true };
}

/** Why there is no document of this kind: to the caller, a foreign one does not exist. */
async function otherwise(
  db: Kysely<Tables>,
  id: number,
  principal: Principal,
  wanted: Kind,
): Promise<{ kind: 'missing' | 'wrong-type' }> {
  const row = await db
    .selectFrom('documents')
    .select(['kind', 'owner'])
    .where('id', '=', id)
    .executeTakeFirst();
  const isOther = row !== undefined && row.kind !== wanted && mayAccess(principal, row.owner);
  return { kind: isOther ? 'wrong-type' : 'missing' };
}

const ofPrincipal = <Q extends { where(column: 'owner', operator: '=', owner: string): Q }>(
  query: Q,
  principal: Principal,
): Q => (isAdministrator(principal) ? query : query.where('owner', '=', principal.user));

const idIn = (cursor: string): number => Number(decodeCursor(cursor, ['number'])[0]);

const toFunction = (row: Selectable<FunctionsTable>): StoredFunction => ({
  id: row.id,
  owner: row.owner,
  name: row.name ?? undefined,
  language: row.language,
  clientHash: row.client_hash,
  sha256: row.sha256,
  sizeBytes: row.size_bytes,
  createdAtMs: row.created_at_ms,
});

/** JSON leaves out what is undefined; the type has the key. */
const absent = { maxRunMs: undefined, geolocation: undefined, deviceId: undefined };

const toRequirement = (row: Selectable<RequirementsTable>): StoredRequirement => ({
  id: row.id,
  owner: row.owner,
  requirement: { ...absent, ...(JSON.parse(row.body_json) as Requirement) },
  createdAtMs: row.created_at_ms,
});
