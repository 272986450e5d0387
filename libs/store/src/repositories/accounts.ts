import { AppError } from '@gantry/kernel';
import type { Selectable } from 'kysely';
import type { Connection } from '../connection.js';
import { decodeCursor, toPage } from '../cursor.js';
import type { Account, AccountStore } from '../ports.js';
import type { AccountsTable } from '../schema.js';
import { documentsOf, removeDocumentsOf } from './documents.js';

/** Two removals at once must not take the last two administrators. */
const administratorsLock = 'administrators';

export const createAccountStore = ({ db, dialect }: Connection): AccountStore => ({
  create: (account) =>
    db.transaction().execute(async (transaction) => {
      await dialect.lockUntilCommit(transaction, documentsOf(account.name));
      const created = await transaction
        .insertInto('accounts')
        .values(toRow(account))
        .onConflict((conflict) => conflict.column('name').doNothing())
        .returning('name')
        .executeTakeFirst();
      if (created === undefined) {
        throw new AppError('account-exists', `An account named ${account.name} exists already`);
      }
      // An upload that raced with the removal of an account of this name must not be inherited.
      await removeDocumentsOf(transaction, account.name);
    }),

  find: async (name) => {
    const row = await db.selectFrom('accounts').selectAll().where('name', '=', name).executeTakeFirst();
    return row === undefined ? undefined : toAccount(row);
  },

  list: async ({ limit, cursor }) => {
    let query = db
      .selectFrom('accounts')
      .selectAll()
      .orderBy('name')
      .limit(limit + 1);
    if (cursor !== undefined) {
      const [name] = decodeCursor(cursor, ['string']);
      query = query.where('name', '>', String(name));
    }
    return toPage(await query.execute(), limit, (row) => [row.name], toAccount);
  },

  remove: (name) =>
    db.transaction().execute(async (transaction) => {
      await dialect.lockUntilCommit(transaction, administratorsLock);
      await dialect.lockUntilCommit(transaction, documentsOf(name));
      const account = await transaction
        .selectFrom('accounts')
        .select('role')
        .where('name', '=', name)
        .executeTakeFirst();
      if (account === undefined) throw accountNotFound(name);
      if (account.role === 'administrator') {
        const other = await transaction
          .selectFrom('accounts')
          .select('name')
          .where('role', '=', 'administrator')
          .where('name', '!=', name)
          .limit(1)
          .executeTakeFirst();
        if (other === undefined) throw new AppError('last-administrator');
      }
      await removeDocumentsOf(transaction, name);
      await transaction.deleteFrom('accounts').where('name', '=', name).execute();
    }),

  setPasswordHash: async (name, passwordHash) => {
    const updated = await db
      .updateTable('accounts')
      .set({ password_hash: passwordHash })
      .where('name', '=', name)
      .returning('name')
      .executeTakeFirst();
    if (updated === undefined) throw accountNotFound(name);
  },
});

const accountNotFound = (name: string) =>
  new AppError('account-not-found', `There is no account named ${name}`);

const toRow = (account: Account): Selectable<AccountsTable> => ({
  name: account.name,
  role: account.role,
  org: account.org ?? null,
  password_hash: account.passwordHash,
  created_at_ms: account.createdAtMs,
  quota_functions: account.quotaFunctions,
  quota_function_bytes: account.quotaFunctionBytes,
});

const toAccount = (row: Selectable<AccountsTable>): Account => ({
  name: row.name,
  role: row.role,
  org: row.org ?? undefined,
  passwordHash: row.password_hash,
  createdAtMs: row.created_at_ms,
  quotaFunctions: row.quota_functions,
  quotaFunctionBytes: row.quota_function_bytes,
});
