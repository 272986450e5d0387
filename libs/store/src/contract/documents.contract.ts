import { describe, expect, it } from '@jest/globals';
import {
  aFunction,
  alice,
  aRequirement,
  bob,
  now,
  plenty,
  root,
  type StoreContractHarness,
  useStore,
} from './fixtures.js';

export function describeDocuments(harness: StoreContractHarness): void {
  describe('documents', () => {
    const opened = useStore(harness);

    it('numbers functions and requirements from 1 up and never gives a number twice', async () => {
      const { documents } = opened().store;
      const ids = [
        await documents.putFunction(aFunction('one'), plenty),
        await documents.putRequirement('alice', aRequirement(), now),
        await documents.putFunction(aFunction('two'), plenty),
      ];
      expect(ids).toEqual([1, 2, 3]);
      await documents.removeFunction(3, alice);
      await documents.removeRequirement(2, alice);
      expect(await documents.putRequirement('alice', aRequirement(), now)).toBe(4);
      expect(await documents.putFunction(aFunction('two'), plenty)).toBe(5);
    });

    it('answers a function and its code as they were stored', async () => {
      const { documents } = opened().store;
      const code = Uint8Array.from({ length: 70_000 }, (_, at) => at % 256);
      const id = await documents.putFunction(
        aFunction('x', { code, name: undefined, language: 'PY' }),
        plenty,
      );
      expect(await documents.findFunction(id, alice)).toEqual({
        kind: 'found',
        document: {
          id,
          owner: 'alice',
          name: undefined,
          language: 'PY',
          clientHash: 'client-hash',
          sha256: aFunction('x').sha256,
          sizeBytes: 70_000,
          createdAtMs: now,
        },
      });
      const read = await documents.readCode(id, alice);
      expect(Buffer.from(read ?? []).equals(code)).toBe(true);
    });

    it('gives the same function one id by owner, language and sha256, whatever the client calls it', async () => {
      const { documents } = opened().store;
      const id = await documents.putFunction(aFunction('one'), plenty);
      expect(await documents.putFunction(aFunction('one', { clientHash: 'other', name: 'b' }), plenty)).toBe(
        id,
      );
      expect(await documents.putFunction(aFunction('two'), plenty)).not.toBe(id);
      expect(await documents.putFunction(aFunction('one', { language: 'PY' }), plenty)).not.toBe(id);
      expect(await documents.putFunction(aFunction('one', { owner: 'bob' }), plenty)).not.toBe(id);
    });

    it('gives one id to the same function uploaded by many at once', async () => {
      const { store, openAnother } = opened();
      const other = await openAnother();
      const puts = Array.from({ length: 20 }, (_, at) =>
        (at % 2 === 0 ? store : other).documents.putFunction(aFunction('one'), plenty),
      );
      expect(new Set(await Promise.all(puts)).size).toBe(1);
      expect((await store.documents.listFunctions(alice, { limit: 10 })).items).toHaveLength(1);
    });

    it('holds the quota of functions and bytes, also against uploads at once, and lets the known ones pass', async () => {
      const { documents } = opened().store;
      const quota = { functions: 3, bytes: 1000 };
      const puts = ['a', 'b', 'c', 'd', 'e'].map((code) => documents.putFunction(aFunction(code), quota));
      const results = await Promise.allSettled(puts);
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(3);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'quota-exceeded' });
      }
      const kept = (await documents.listFunctions(alice, { limit: 10 })).items;
      const known =
        ['a', 'b', 'c', 'd', 'e'].find((code) => aFunction(code).sha256 === kept[0]?.sha256) ?? '';
      expect(await documents.putFunction(aFunction(known), quota)).toBe(kept[0]?.id);
      const tight = { functions: 10, bytes: 4 };
      expect(await documents.putFunction(aFunction('f', { owner: 'bob' }), tight)).toBeGreaterThan(0);
      await expect(documents.putFunction(aFunction('gggg', { owner: 'bob' }), tight)).rejects.toMatchObject({
        code: 'quota-exceeded',
      });
    });

    it('hides what belongs to others, shows administrators everything, and tells the two kinds apart', async () => {
      const { documents } = opened().store;
      const fn = await documents.putFunction(aFunction('one'), plenty);
      const requirement = await documents.putRequirement('alice', aRequirement(), now);
      const missing = { kind: 'missing' };
      const wrong = { kind: 'wrong-type' };

      expect(await documents.findFunction(fn, bob)).toEqual(missing);
      expect(await documents.readCode(fn, bob)).toBeUndefined();
      expect(await documents.removeFunction(fn, bob)).toEqual(missing);
      expect(await documents.findRequirement(requirement, bob)).toEqual(missing);
      expect(await documents.replaceRequirement(requirement, bob, aRequirement())).toEqual(missing);
      expect(await documents.removeRequirement(requirement, bob)).toEqual(missing);
      expect(await documents.findFunction(requirement, bob)).toEqual(missing);

      expect(await documents.findFunction(requirement, alice)).toEqual(wrong);
      expect(await documents.removeFunction(requirement, alice)).toEqual(wrong);
      expect(await documents.findRequirement(fn, alice)).toEqual(wrong);
      expect(await documents.replaceRequirement(fn, alice, aRequirement())).toEqual(wrong);
      expect(await documents.removeRequirement(fn, root)).toEqual(wrong);
      expect(await documents.findFunction(99, alice)).toEqual(missing);
      expect(await documents.findFunction(Number.MAX_SAFE_INTEGER, root)).toEqual(missing);

      expect(await documents.findFunction(fn, root)).toMatchObject({ kind: 'found' });
      expect(await documents.readCode(fn, root)).toBeDefined();
      expect(await documents.removeRequirement(requirement, root)).toEqual({ kind: 'found', document: true });
      expect(await documents.removeFunction(fn, alice)).toEqual({ kind: 'found', document: true });
      expect(await documents.findFunction(fn, alice)).toEqual(missing);
    });

    it('replaces a requirement whole and keeps its id, owner and age', async () => {
      const { documents } = opened().store;
      const id = await documents.putRequirement('alice', aRequirement(), now);
      const changed = aRequirement({
        flavour: 'City',
        maxRunMs: 1500,
        geolocation: 'at home',
        providers: [],
      });
      expect(await documents.replaceRequirement(id, root, changed)).toEqual({
        kind: 'found',
        document: true,
      });
      expect(await documents.findRequirement(id, alice)).toEqual({
        kind: 'found',
        document: { id, owner: 'alice', requirement: changed, createdAtMs: now },
      });
    });

    it('lists the own documents page by page, and everything to administrators', async () => {
      const { documents } = opened().store;
      for (const code of ['a', 'b', 'c']) await documents.putFunction(aFunction(code), plenty);
      await documents.putFunction(aFunction('a', { owner: 'bob' }), plenty);
      for (let count = 0; count < 3; count += 1) await documents.putRequirement('bob', aRequirement(), now);
      const first = await documents.listFunctions(alice, { limit: 2 });
      const second = await documents.listFunctions(alice, {
        limit: 2,
        cursor: first.nextCursor ?? undefined,
      });
      expect([...first.items, ...second.items].map((fn) => fn.id)).toEqual([1, 2, 3]);
      expect(second.nextCursor).toBeNull();
      expect((await documents.listFunctions(root, { limit: 9 })).items.map((fn) => fn.id)).toEqual([
        1, 2, 3, 4,
      ]);
      const requirements = await documents.listRequirements(bob, { limit: 2 });
      expect(requirements.items.map((each) => each.id)).toEqual([5, 6]);
      const rest = await documents.listRequirements(bob, { limit: 2, cursor: requirements.nextCursor ?? '' });
      expect(rest.items.map((each) => each.id)).toEqual([7]);
      expect((await documents.listRequirements(alice, { limit: 2 })).items).toEqual([]);
      for (const cursor of ['', '%', 'bm8', Buffer.from('["a"]').toString('base64url')]) {
        const broken = { code: 'invalid-request', errors: [{ pointer: '/query/cursor' }] };
        await expect(documents.listFunctions(alice, { limit: 2, cursor })).rejects.toMatchObject(broken);
        await expect(documents.listRequirements(alice, { limit: 2, cursor })).rejects.toMatchObject(broken);
      }
    });
  });
}
