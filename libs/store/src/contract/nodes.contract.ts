import type { AgentInfo } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import type { NodeStore } from '../ports.js';
import { now, type StoreContractHarness, useStore } from './fixtures.js';

const aNode = (name: string, owner = 'alice') => ({
  name,
  owner,
  labels: { site: 'lab' },
  tokenSha256: `hash-of-${name}`,
  tokenExpiresAtMs: now + 1000,
  createdAtMs: now,
});

const redeemOf = (name: string, credentialId = `credential-of-${name}`) => ({
  name,
  tokenSha256: `hash-of-${name}`,
  credentialId,
  nowMs: now + 1,
});

const leaseOf = (name: string, credentialId: string | null = `credential-of-${name}`) => ({
  name,
  credentialId,
  kind: 'gantry' as const,
  holder: { bridgeId: 'b1', url: 'http://bridge-1' },
  nowMs: now + 2,
});

const aReport: AgentInfo = {
  node: 'n1',
  version: '1.2.3',
  started_at: '2026-01-01T00:00:00Z',
  labels: {},
  facts: { sysinfo: { cores: 4 } },
  plugins: [],
  config: { revision: null, refused: null },
  events: { epoch: 'e', last_seq: 1, acknowledged: 0, waiting: 1, dropped_total: 0 },
};

async function join(nodes: NodeStore, name: string): Promise<number> {
  await nodes.create(aNode(name));
  await nodes.redeem(redeemOf(name));
  return (await nodes.acquireLease(leaseOf(name))) ?? -1;
}

export function describeNodes(harness: StoreContractHarness): void {
  describe('nodes', () => {
    const opened = useStore(harness);

    it('gives a name once, and shows what is known of it', async () => {
      const { nodes } = opened().store;
      expect(await nodes.create(aNode('n1'))).toBe(true);
      expect(await nodes.create(aNode('n1', 'bob'))).toBe(false);
      expect(await nodes.find('n1')).toEqual({
        name: 'n1',
        owner: 'alice',
        kind: undefined,
        createdAtMs: now,
        lastSeenMs: undefined,
        leaseEpoch: 0,
        credentialId: undefined,
        isRevoked: false,
        labels: { site: 'lab' },
        grants: [],
        settings: undefined,
        report: undefined,
      });
      expect(await nodes.find('n2')).toBeUndefined();
    });

    it('takes an enrolment token once and in time, of many at the same moment too', async () => {
      const { store, openAnother } = opened();
      const other = await openAnother();
      await store.nodes.create(aNode('n1'));
      expect(await store.nodes.redeem({ ...redeemOf('n1'), tokenSha256: 'another' })).toBe(false);
      expect(await store.nodes.redeem({ ...redeemOf('n1'), nowMs: now + 1000 })).toBe(false);
      const has = (tokenSha256: string, nowMs = now) => store.nodes.hasEnrolment('n1', tokenSha256, nowMs);
      const { tokenSha256 } = redeemOf('n1');
      expect([await has('another'), await has(tokenSha256, now + 1000), await has(tokenSha256)]).toEqual([
        ...[false, false, true],
      ]);
      const taken = await Promise.all(
        [1, 2, 3, 4].map((index) =>
          (index % 2 === 0 ? store : other).nodes.redeem(redeemOf('n1', `credential${index}`)),
        ),
      );
      expect(taken.filter(Boolean)).toHaveLength(1);
      expect((await store.nodes.find('n1'))?.credentialId).toMatch(/^credential\d$/);
      expect(await has(tokenSha256)).toBe(false);
    });

    it('gives a name to one, in capitals or not, of many at the same moment too', async () => {
      const { store, openAnother } = opened();
      const other = await openAnother();
      const names = ['Host-A', 'host-a', 'HOST-A', 'host-A'];
      const made = await Promise.all(
        names.map((name, index) => (index % 2 === 0 ? store : other).nodes.create(aNode(name))),
      );
      expect(made.filter(Boolean)).toHaveLength(1);
      expect(await store.nodes.create(aNode('host-b'))).toBe(true);
    });

    it('fences the holder of an older lease, and refuses a credential that is not in force', async () => {
      const { nodes } = opened().store;
      const first = await join(nodes, 'n1');
      expect(await nodes.touch('n1', first, now + 5)).toBe(true);
      const second = await nodes.acquireLease(leaseOf('n1'));
      expect(second).toBe(first + 1);
      expect(await nodes.touch('n1', first, now + 9)).toBe(false);
      expect(await nodes.saveReport('n1', first, aReport)).toBe(false);
      expect(await nodes.saveReport('n1', first + 1, aReport)).toBe(true);
      expect(await nodes.find('n1')).toMatchObject({ kind: 'gantry', lastSeenMs: now + 2, report: aReport });
      expect(await nodes.acquireLease(leaseOf('n1', 'stolen'))).toBeUndefined();
      expect(await nodes.acquireLease(leaseOf('n1', null))).toBeUndefined();
      expect(await nodes.acquireLease(leaseOf('n2'))).toBeUndefined();
    });

    it('says which bridge has a node, until that gives it back or another takes it', async () => {
      const { nodes } = opened().store;
      const heldBy = async () => (await nodes.find('n1'))?.heldBy;
      const first = await join(nodes, 'n1');
      expect(await heldBy()).toEqual({ bridgeId: 'b1', url: 'http://bridge-1' });
      const holder = { bridgeId: 'b2', url: null };
      const second = (await nodes.acquireLease({ ...leaseOf('n1'), holder })) ?? -1;
      expect(await nodes.releaseLease('n1', first, now + 5)).toBe(false);
      expect(await heldBy()).toEqual(holder);
      expect(await nodes.releaseLease('n1', second, now + 6)).toBe(true);
      expect(await nodes.find('n1')).toMatchObject({ heldBy: undefined, lastSeenMs: now + 6 });
      await nodes.acquireLease(leaseOf('n1'));
      await nodes.revoke('n1');
      expect(await heldBy()).toBeUndefined();
    });

    it('leases a node without a credential to who has none', async () => {
      const { nodes } = opened().store;
      await nodes.create({ ...aNode('n1'), tokenSha256: null, tokenExpiresAtMs: null });
      expect(await nodes.acquireLease(leaseOf('n1', null))).toBe(1);
      expect(await nodes.acquireLease(leaseOf('n1', 'credential'))).toBeUndefined();
    });

    it('replaces the credential with a new enrolment, and fences the holder of the old one', async () => {
      const { nodes } = opened().store;
      const epoch = await join(nodes, 'n1');
      expect(await nodes.renewEnrolment('n1', 'second', now + 1000)).toBe(true);
      expect(await nodes.renewEnrolment('n2', 'second', now + 1000)).toBe(false);
      // Until the token is used, nothing has changed for the node.
      expect(await nodes.touch('n1', epoch, now + 3)).toBe(true);
      expect(await nodes.redeem({ ...redeemOf('n1', 'new'), tokenSha256: 'second' })).toBe(true);
      expect(await nodes.touch('n1', epoch, now + 4)).toBe(false);
      expect(await nodes.acquireLease(leaseOf('n1'))).toBeUndefined();
      expect(await nodes.acquireLease(leaseOf('n1', 'new'))).toBe(epoch + 2);
    });

    it('revokes credential, token and lease at once; a new enrolment brings the node back', async () => {
      const { nodes } = opened().store;
      const epoch = await join(nodes, 'n1');
      await nodes.renewEnrolment('n1', 'unused', now + 1000);
      expect(await nodes.revoke('n1')).toBe(true);
      expect(await nodes.revoke('n2')).toBe(false);
      expect(await nodes.touch('n1', epoch, now)).toBe(false);
      expect(await nodes.acquireLease(leaseOf('n1'))).toBeUndefined();
      expect(await nodes.acquireLease(leaseOf('n1', null))).toBeUndefined();
      expect(await nodes.redeem({ ...redeemOf('n1'), tokenSha256: 'unused' })).toBe(false);
      expect(await nodes.find('n1')).toMatchObject({ isRevoked: true, credentialId: undefined });
      await nodes.renewEnrolment('n1', 'third', now + 1000);
      expect(await nodes.redeem({ ...redeemOf('n1'), tokenSha256: 'third' })).toBe(true);
      expect(await nodes.find('n1')).toMatchObject({ isRevoked: false });
    });

    it('keeps grants, and counts the revisions of settings', async () => {
      const { nodes } = opened().store;
      await nodes.create(aNode('n1'));
      const grants = [{ user: 'bob', rights: ['jobs:*'] }];
      expect(await nodes.setGrants('n1', grants)).toBe(true);
      expect(await nodes.setGrants('n2', grants)).toBe(false);
      const settings = { disabled: ['files'], plugins: { sysinfo: { a: 1 } } };
      expect(await nodes.setSettings('n1', settings)).toEqual({ ...settings, revision: 1 });
      expect(await nodes.setSettings('n1', { disabled: [], plugins: {} })).toMatchObject({ revision: 2 });
      expect(await nodes.setSettings('n2', settings)).toBeUndefined();
      await expect(nodes.setSettings('n1', settings, 1)).rejects.toMatchObject({
        code: 'precondition-failed',
      });
      expect(await nodes.find('n1')).toMatchObject({ grants, settings: { revision: 2 } });
    });

    it('lists by name, in pages, and counts by owner', async () => {
      const { nodes } = opened().store;
      for (const name of ['c', 'a', 'b']) await nodes.create(aNode(name, name === 'b' ? 'bob' : 'alice'));
      const first = await nodes.list({ limit: 2 });
      expect(first.items.map(({ name }) => name)).toEqual(['a', 'b']);
      const second = await nodes.list({ limit: 2, cursor: first.nextCursor ?? '' });
      expect(second.items.map(({ name }) => name)).toEqual(['c']);
      expect(second.nextCursor).toBeNull();
      expect(await nodes.countOwnedBy('alice')).toBe(2);
      expect(await nodes.remove('a')).toBe(true);
      expect(await nodes.remove('a')).toBe(false);
      expect(await nodes.countOwnedBy('alice')).toBe(1);
    });

    it('keeps the keys of a bridge apart from those of users', async () => {
      const { keys, bridgeKeys } = opened().store;
      const aKey = { id: 1, privateKey: 'private', publicKey: 'public', createdAtMs: now };
      expect(await bridgeKeys.add(aKey, undefined)).toBe(true);
      expect(await bridgeKeys.list()).toEqual([aKey]);
      expect(await keys.list()).toEqual([]);
    });
  });
}
