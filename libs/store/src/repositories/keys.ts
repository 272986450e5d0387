import type { Selectable } from 'kysely';
import type { Connection } from '../connection.js';
import type { KeyStore, SigningKey } from '../ports.js';
import type { SigningKeysTable } from '../schema.js';

/** Two sets of keys, of one shape: those of users' tokens, and a bridge's own. */
export const createKeyStore = (
  { db, dialect }: Connection,
  table: 'signing_keys' | 'bridge_keys' = 'signing_keys',
): KeyStore => ({
  list: async () => {
    const rows = await db.selectFrom(table).selectAll().orderBy('id').execute();
    return rows.map(toKey);
  },

  add: (key, expectedNewestId) =>
    db.transaction().execute(async (transaction) => {
      await dialect.lockUntilCommit(transaction, table === 'signing_keys' ? 'signing keys' : table);
      const newest = await transaction
        .selectFrom(table)
        .select('id')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      if (newest?.id !== expectedNewestId) return false;
      const added = await transaction
        .insertInto(table)
        .values(toRow(key))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('id')
        .executeTakeFirst();
      return added !== undefined;
    }),

  removeOlderThan: async (createdBeforeMs) => {
    await db
      .deleteFrom(table)
      .where('created_at_ms', '<', createdBeforeMs)
      .where(
        'id',
        '<',
        db.selectFrom(table).select((eb) => eb.fn.max('id').as('id')),
      )
      .execute();
  },
});

const toRow = (key: SigningKey): Selectable<SigningKeysTable> => ({
  id: key.id,
  private_key: key.privateKey,
  public_key: key.publicKey,
  created_at_ms: key.createdAtMs,
});

const toKey = (row: Selectable<SigningKeysTable>): SigningKey => ({
  id: row.id,
  privateKey: row.private_key,
  publicKey: row.public_key,
  createdAtMs: row.created_at_ms,
});
