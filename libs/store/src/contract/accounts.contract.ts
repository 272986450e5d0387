import { describe, expect, it } from '@jest/globals';
import {
  aFunction,
  alice,
  anAccount,
  aRequirement,
  bob,
  now,
  plenty,
  type StoreContractHarness,
  useStore,
} from './fixtures.js';

export function describeAccounts(harness: StoreContractHarness): void {
  describe('accounts', () => {
    const opened = useStore(harness);

    it('answers an account as it was created, and nothing for unknown names', async () => {
      const { accounts } = opened().store;
      const account = anAccount('alice', { role: 'administrator', org: 'acme', quotaFunctionBytes: 2 ** 52 });
      await accounts.create(account);
      expect(await accounts.find('alice')).toEqual(account);
      expect(await accounts.find('Alice')).toBeUndefined();
      expect(await accounts.find('a\u0000b')).toBeUndefined();
    });

    it('refuses a second account of the same name, also at the same moment', async () => {
      const { accounts } = opened().store;
      const attempts = Array.from({ length: 5 }, () => accounts.create(anAccount('alice')));
      const results = await Promise.allSettled(attempts);
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'account-exists' });
      }
    });

    it('lists by the bytes of names, page by page', async () => {
      const { accounts } = opened().store;
      for (const name of ['b', 'a-1', 'B', 'a', 'a.1']) await accounts.create(anAccount(name));
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await accounts.list({ limit: 2, cursor });
        seen.push(...page.items.map((account) => account.name));
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      expect(seen).toEqual(['B', 'a', 'a-1', 'a.1', 'b']);
      await expect(accounts.list({ limit: 2, cursor: 'nonsense' })).rejects.toMatchObject({
        code: 'invalid-request',
        errors: [{ pointer: '/query/cursor' }],
      });
    });

    it('removes the documents with their account, and only those', async () => {
      const { accounts, documents } = opened().store;
      await accounts.create(anAccount('alice'));
      const mine = await documents.putFunction(aFunction('one'), plenty);
      const requirement = await documents.putRequirement('alice', aRequirement(), now);
      const other = await documents.putFunction(aFunction('one', { owner: 'bob' }), plenty);
      await accounts.remove('alice');
      expect(await accounts.find('alice')).toBeUndefined();
      expect(await documents.findFunction(mine, alice)).toEqual({ kind: 'missing' });
      expect(await documents.readCode(mine, alice)).toBeUndefined();
      expect(await documents.findRequirement(requirement, alice)).toEqual({ kind: 'missing' });
      expect(await documents.findFunction(other, bob)).toMatchObject({ kind: 'found' });
    });

    it('gives a new account nothing that an earlier one of its name left behind', async () => {
      const { accounts, documents } = opened().store;
      const left = await documents.putFunction(aFunction('one'), plenty);
      await accounts.create(anAccount('alice'));
      expect(await documents.findFunction(left, alice)).toEqual({ kind: 'missing' });
    });

    it('keeps the last administrator, also when all are removed at once', async () => {
      const { accounts } = opened().store;
      const names = ['root1', 'root2', 'root3'];
      for (const name of names) await accounts.create(anAccount(name, { role: 'administrator' }));
      await accounts.create(anAccount('alice'));
      const results = await Promise.allSettled(names.map((name) => accounts.remove(name)));
      const refused = results.filter((result) => result.status === 'rejected');
      expect(refused).toMatchObject([{ reason: { code: 'last-administrator' } }]);
      expect((await accounts.list({ limit: 10 })).items).toHaveLength(2);
      await accounts.remove('alice');
    });

    it('changes a password hash, and says when there is no such account', async () => {
      const { accounts } = opened().store;
      await accounts.create(anAccount('alice'));
      await accounts.setPasswordHash('alice', 'new');
      expect(await accounts.find('alice')).toEqual(anAccount('alice', { passwordHash: 'new' }));
      const missing = { code: 'account-not-found' };
      await expect(accounts.setPasswordHash('bob', 'new')).rejects.toMatchObject(missing);
      await expect(accounts.remove('bob')).rejects.toMatchObject(missing);
    });
  });
}
