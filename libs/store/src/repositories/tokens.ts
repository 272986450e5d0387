import type { Connection } from '../connection.js';
import type { TokenLog } from '../ports.js';

export const createTokenLog = ({ db, clock }: Connection): TokenLog => ({
  recordIssued: async ({ revocationId, user, expiresAtMs }) => {
    await db
      .insertInto('tokens')
      .values({ revocation_id: revocationId, account: user, expires_at_ms: expiresAtMs, revoked: 0 })
      // Revoked before it was recorded: it stays revoked.
      .onConflict((conflict) => conflict.column('revocation_id').doUpdateSet({ account: user }))
      .execute();
  },

  ownerOf: async (revocationId) => {
    const row = await db
      .selectFrom('tokens')
      .select('account')
      .where('revocation_id', '=', revocationId)
      .where('expires_at_ms', '>', clock.now())
      .executeTakeFirst();
    return row?.account ?? undefined;
  },

  revoke: async (revocationId, expiresAtMs) => {
    await db
      .insertInto('tokens')
      .values({ revocation_id: revocationId, account: null, expires_at_ms: expiresAtMs, revoked: 1 })
      .onConflict((conflict) =>
        conflict.column('revocation_id').doUpdateSet({
          revoked: 1,
          // Never forgotten earlier than either side asks for.
          expires_at_ms: (eb) =>
            eb
              .case()
              .when('tokens.expires_at_ms', '<', eb.ref('excluded.expires_at_ms'))
              .then(eb.ref('excluded.expires_at_ms'))
              .else(eb.ref('tokens.expires_at_ms'))
              .end(),
        }),
      )
      .execute();
  },

  revokeAllOf: async (user) => {
    await db.updateTable('tokens').set({ revoked: 1 }).where('account', '=', user).execute();
  },

  listRevoked: async (nowMs) => {
    const rows = await db
      .selectFrom('tokens')
      .select('revocation_id')
      .where('revoked', '=', 1)
      .where('expires_at_ms', '>', nowMs)
      .orderBy('revocation_id')
      .execute();
    return rows.map((row) => row.revocation_id);
  },

  purgeExpired: async (nowMs) => {
    await db.deleteFrom('tokens').where('expires_at_ms', '<=', nowMs).execute();
  },
});
