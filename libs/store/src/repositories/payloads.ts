import { createHash } from 'node:crypto';
import { toBytes } from '../blob.js';
import type { Connection } from '../connection.js';
import type { PayloadStore } from '../ports.js';

export const createPayloadStore = ({ db }: Connection): PayloadStore => ({
  put: async (bytes, nowMs) => {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const { numUpdatedRows } = await db
      .updateTable('payloads')
      .set({ put_at_ms: nowMs })
      .where('sha256', '=', sha256)
      .executeTakeFirst();
    // The bytes are only written when they are new; the conflict is another call that just did.
    if (numUpdatedRows === 0n) {
      await db
        .insertInto('payloads')
        .values({ sha256, put_at_ms: nowMs, body: bytes })
        .onConflict((conflict) => conflict.column('sha256').doUpdateSet({ put_at_ms: nowMs }))
        .execute();
    }
    return sha256;
  },

  get: async (sha256) => {
    const row = await db
      .selectFrom('payloads')
      .select('body')
      .where('sha256', '=', sha256)
      .executeTakeFirst();
    return row === undefined ? undefined : toBytes(row.body);
  },

  purge: async (beforeMs) => {
    await db.deleteFrom('payloads').where('put_at_ms', '<', beforeMs).execute();
  },
});
