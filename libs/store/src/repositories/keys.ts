import type { Selectable } from 'kysely';
import type { Connection } from '../connection.js';
import type { KeyStore, SigningKey } from '../ports.js';
import type { SigningKeysTable } from '../schema.js';

export const createKeyStore = ({ db, dialect }: Connection): KeyStore => ({
  list: async () => {
    const rows = await db.selectFrom('signing_keys').selectAll().orderBy('id').execute();
    return rows.map(toKey);
  },

  add: (key, expectedNewestId) =>
    db.transaction().execute(async (transaction) => {
      await dialect.lockUntilCommit(transaction, 'signing keys');
      const newest = await transaction
        .selectFrom('signing_keys')
        .select('id')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      if (newest?.id !== expectedNewestId) return false;
      const added = await transaction
        .insertInto('signing_keys')
        .values(toRow(key))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('id')
        .executeTakeFirst();
      return added !== undefined;
    }),

  removeOlderThan: async (createdBeforeMs) => {
    await db
      .deleteFrom('signing_keys')
      .where('created_at_ms', '<', createdBeforeMs)
      .where(
        'id',
        '<',
        db.selectFrom('signing_keys').select((eb) => eb.fn.max('id').as('id')),
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
