import type { ClusterReport } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import type { SigningKey } from '../ports.js';
import { now, type StoreContractHarness, useStore } from './fixtures.js';

const report: ClusterReport = {
  url: 'http://edge.example:1339',
  flavours: ['Nature'],
  geolocation: { latitude: 1.5, longitude: 2.5 },
  provider: 'lab',
  is_confidential: true,
  capacity: 4,
};

const aKey = (id: number, createdAtMs = now + id): SigningKey => ({
  id,
  privateKey: `private${id}`,
  publicKey: `public${id}`,
  createdAtMs,
});

export function describeTrust(harness: StoreContractHarness): void {
  describe('clusters', () => {
    const opened = useStore(harness);

    it('shows an enrolled cluster, and its report once it has shown its token', async () => {
      const { clusters } = opened().store;
      await clusters.enrol('edge1', 'hash1', now);
      await clusters.enrol('edge2', 'hash2', now);
      expect(await clusters.report('edge1', 'hash2', report, now + 1)).toBe(false);
      expect(await clusters.report('edge3', 'hash1', report, now + 1)).toBe(false);
      expect(await clusters.report('edge1', 'hash1', report, now + 2)).toBe(true);
      expect(await clusters.list()).toEqual([
        { id: 1, name: 'edge1', report, lastSeenMs: now + 2 },
        { id: 2, name: 'edge2', report: undefined, lastSeenMs: now },
      ]);
    });

    it('replaces the token at a second enrolment and keeps the id; a removed cluster is unknown', async () => {
      const { clusters } = opened().store;
      await clusters.enrol('edge1', 'hash1', now);
      await clusters.enrol('edge1', 'hash2', now + 5);
      expect(await clusters.report('edge1', 'hash1', report, now)).toBe(false);
      expect(await clusters.report('edge1', 'hash2', report, now)).toBe(true);
      expect(await clusters.isEnrolled('edge1', 'hash1')).toBe(false);
      expect(await clusters.isEnrolled('edge1', 'hash2')).toBe(true);
      expect(await clusters.isEnrolled('edge2', 'hash2')).toBe(false);
      expect(await clusters.list()).toMatchObject([{ id: 1 }]);
      expect(await clusters.remove('edge1')).toBe(true);
      expect(await clusters.remove('edge1')).toBe(false);
      expect(await clusters.report('edge1', 'hash2', report, now)).toBe(false);
      expect(await clusters.list()).toEqual([]);
    });
  });

  describe('signing keys', () => {
    const opened = useStore(harness);

    it('adds a key only on top of the newest one it was made for', async () => {
      const { keys } = opened().store;
      expect(await keys.add(aKey(1), 7)).toBe(false);
      expect(await keys.add(aKey(1), undefined)).toBe(true);
      expect(await keys.add(aKey(1), undefined)).toBe(false);
      expect(await keys.add(aKey(2), undefined)).toBe(false);
      expect(await keys.add(aKey(2), 1)).toBe(true);
      expect(await keys.list()).toEqual([aKey(1), aKey(2)]);
    });

    it('lets one of many win that add a key at once', async () => {
      const { store, openAnother } = opened();
      const other = await openAnother();
      const added = await Promise.all(
        [1, 2, 3, 4, 5, 6].map((id) => (id % 2 === 0 ? store : other).keys.add(aKey(id), undefined)),
      );
      expect(added.filter(Boolean)).toHaveLength(1);
      expect(await store.keys.list()).toHaveLength(1);
    });

    it('removes old keys but never the newest', async () => {
      const { keys } = opened().store;
      for (const id of [1, 2, 3]) await keys.add(aKey(id), id === 1 ? undefined : id - 1);
      await keys.removeOlderThan(now + 2);
      expect((await keys.list()).map((key) => key.id)).toEqual([2, 3]);
      await keys.removeOlderThan(now + 100);
      expect((await keys.list()).map((key) => key.id)).toEqual([3]);
    });
  });

  describe('issued tokens', () => {
    const opened = useStore(harness);

    it('knows the owner of a token until it expires', async () => {
      const { store, clock } = opened();
      await store.tokens.recordIssued({ revocationId: 'r1', user: 'alice', expiresAtMs: now + 10 });
      expect(await store.tokens.ownerOf('r1')).toBe('alice');
      expect(await store.tokens.ownerOf('r2')).toBeUndefined();
      clock.nowMs = now + 10;
      expect(await store.tokens.ownerOf('r1')).toBeUndefined();
    });

    it('lists revoked tokens while they could still be used', async () => {
      const { tokens } = opened().store;
      await tokens.recordIssued({ revocationId: 'r1', user: 'alice', expiresAtMs: now + 10 });
      await tokens.recordIssued({ revocationId: 'r2', user: 'alice', expiresAtMs: now + 20 });
      await tokens.recordIssued({ revocationId: 'r3', user: 'bob', expiresAtMs: now + 20 });
      expect(await tokens.listRevoked(now)).toEqual([]);
      await tokens.revoke('unknown', now + 30);
      await tokens.revoke('r1', now + 10);
      await tokens.revoke('r1', now + 5);
      expect(await tokens.listRevoked(now + 9)).toEqual(['r1', 'unknown']);
      await tokens.revokeAllOf('alice');
      expect(await tokens.listRevoked(now + 10)).toEqual(['r2', 'unknown']);
      expect(await tokens.ownerOf('r2')).toBe('alice');
    });

    it('keeps a token revoked that is recorded after its revocation', async () => {
      const { tokens } = opened().store;
      await tokens.revoke('r1', now + 10);
      expect(await tokens.ownerOf('r1')).toBeUndefined();
      await tokens.recordIssued({ revocationId: 'r1', user: 'alice', expiresAtMs: now + 10 });
      expect(await tokens.ownerOf('r1')).toBe('alice');
      expect(await tokens.listRevoked(now)).toEqual(['r1']);
    });

    it('forgets expired tokens', async () => {
      const { tokens } = opened().store;
      await tokens.revoke('r1', now + 10);
      await tokens.revoke('r2', now + 11);
      await tokens.purgeExpired(now + 10);
      expect(await tokens.listRevoked(0)).toEqual(['r2']);
    });
  });
}
