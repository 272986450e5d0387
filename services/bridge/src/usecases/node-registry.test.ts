import { AppError, silentLogger, systemClock } from '@gantry/kernel';
import type { EdgeNode, LeaseHolder, NodeStore } from '@gantry/store';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { NodeLink } from '../ports.js';
import { NodeRecords } from './node-records.js';
import { type Holder, NodeRegistry } from './node-registry.js';

/** A store with one node, whose lease a test moves on as another bridge would. */
function newStore() {
  let epoch = 0;
  let isRevoked = false;
  const record = () =>
    ({
      ...{ name: 'n1', leaseEpoch: epoch, isRevoked, credentialId: 'c', heldBy },
      lastSeenMs: systemClock.now(),
    }) as EdgeNode;
  const find = async () => record();
  let heldBy: LeaseHolder | undefined;
  const nodes: Pick<NodeStore, 'acquireLease' | 'releaseLease' | 'touch' | 'saveReport' | 'find'> = {
    find,
    acquireLease: async ({ credentialId, holder }) => {
      if (isRevoked || credentialId !== 'c') return undefined;
      epoch += 1;
      heldBy = holder;
      return epoch;
    },
    releaseLease: async (_name, leaseEpoch) => {
      if (leaseEpoch !== epoch) return false;
      heldBy = undefined;
      return true;
    },
    touch: async (_name, leaseEpoch) => leaseEpoch === epoch && !isRevoked,
    saveReport: async (_name, leaseEpoch) => leaseEpoch === epoch,
  };
  return {
    nodes,
    record,
    takeOver: () => {
      epoch += 1;
      heldBy = { bridgeId: 'another', url: 'https://another.example' };
    },
    revoke: async () => {
      isRevoked = true;
      return true;
    },
  };
}

interface FakeLink extends NodeLink {
  closedFor: string | undefined;
}
function newLink(): FakeLink {
  const link: FakeLink = {
    ...{ kind: 'original' as const, name: 'n1', connections: 1, latencyMs: 1 },
    closedFor: undefined as string | undefined,
    get isOpen(): boolean {
      return link.closedFor === undefined;
    },
    request: async () => Promise.reject(new AppError('node-failed')),
    connect: async () => Promise.reject(new AppError('node-failed')),
    close: (reason: string) => {
      link.closedFor ??= reason;
    },
    drain: async () => link.close('drained'),
  };
  return link;
}

const claim = (instance: string, credentialId: string | null = 'c') => ({
  ...{ name: 'n1', credentialId, instance, address: '' },
});

const started: NodeRegistry[] = [];
function newRegistry(store = newStore(), touchMs = 60_000, bridgeId = 'this') {
  const told: string[] = [];
  const touched = new Set<number>();
  const records = new NodeRecords(store.nodes, systemClock);
  const registry = new NodeRegistry({
    ...{ nodes: store.nodes, records, clock: systemClock, logger: silentLogger, touchMs },
    self: () => ({ bridgeId, url: `https://${bridgeId}.example` }),
    audit: { record: ({ action }) => void told.push(action), recordProbe: () => undefined },
    onJoined: ({ leaseEpoch }: Holder) => void told.push(`joined ${leaseEpoch}`),
    onTouched: ({ leaseEpoch }: Holder) => void touched.add(leaseEpoch),
    onLost: ({ leaseEpoch, name }: Holder) => {
      // Who is told is decided by what is known of the node then.
      told.push(records.peek(name) === undefined ? 'lost, told to nobody' : `lost ${leaseEpoch}`);
    },
  });
  registry.start();
  started.push(registry);
  return { registry, store, told, touched };
}
afterEach(async () => {
  for (const registry of started.splice(0)) await registry.stop();
});

describe('NodeRegistry', () => {
  it('gives a name to the newest holder and closes the one before first', async () => {
    const { registry, store, told } = newRegistry();
    const [first, second] = [newLink(), newLink()];
    const old = await registry.claim(claim('a'), first);
    await registry.claim(claim('b'), second);
    expect(first.closedFor).toContain('taken the name over');
    expect(registry.linkOf(store.record())).toBe(second);
    expect(told).toEqual(['node.connect', 'joined 1', 'lost 1', 'node.take-over', 'joined 2']);
    // The end of the older one is told once, and takes nothing from the newer one.
    registry.released(old, 'closed at last');
    expect(registry.linkOf(store.record())).toBe(second);
    expect(told).toHaveLength(5);
  });

  it('refuses who does not hold the credential in force, and leaves the holder alone', async () => {
    const { registry, store } = newRegistry();
    const [first, second] = [newLink(), newLink()];
    await registry.claim(claim('a'), first);
    for (const credentialId of ['stolen', null])
      await expect(registry.claim(claim('b', credentialId), second)).rejects.toMatchObject({
        code: 'invalid-service-credential',
      });
    expect(second.closedFor).toBeDefined();
    expect(registry.linkOf(store.record())).toBe(first);
  });

  it('lets many claims at once leave one holder, with all others closed', async () => {
    const { registry, store } = newRegistry();
    const links = Array.from({ length: 20 }, newLink);
    await Promise.all(links.map((link, index) => registry.claim(claim(`i${index}`), link)));
    expect(links.filter(({ isOpen }) => isOpen)).toEqual([registry.linkOf(store.record())]);
  });

  it('closes a holder whose lease another bridge has given away', async () => {
    const { registry, store, told, touched } = newRegistry(newStore(), 20);
    const link = newLink();
    await registry.claim(claim('a'), link);
    while (touched.size === 0) await new Promise((wake) => setTimeout(wake, 5));
    store.takeOver();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (link.closedFor === undefined) return;
        clearInterval(timer);
        resolve();
      }, 5);
    });
    expect(link.closedFor).toBe('the lease is no longer in force');
    expect(registry.holderOf('n1')).toBeUndefined();
    expect(told.at(-1)).toBe('lost 1');
  });

  it('closes such a holder at the next call, and says where the node is by now', async () => {
    const store = newStore();
    const [one, other] = [newRegistry(store, 60_000, 'one'), newRegistry(store, 60_000, 'other')];
    const [first, second] = [newLink(), newLink()];
    await one.registry.claim(claim('a'), first);
    await other.registry.claim(claim('a'), second);
    expect(() => one.registry.linkOf(store.record())).toThrow(
      expect.objectContaining({
        code: 'node-elsewhere',
        message: 'n1 is connected to the bridge https://other.example',
        headers: { 'gantry-bridge': 'https://other.example' },
      }),
    );
    expect(first.closedFor).toBe('the lease is no longer in force');
    expect(other.registry.linkOf(store.record())).toBe(second);
    // What the older one gives back late is not the newer one's lease.
    await one.registry.stop();
    expect(store.record().heldBy).toMatchObject({ bridgeId: 'other' });
    await other.registry.stop();
    expect(store.record().heldBy).toBeUndefined();
  });

  it('lets many bridges claim at once, and one of them has the node in the end', async () => {
    const store = newStore();
    const all = Array.from(
      { length: 10 },
      (_, index) => newRegistry(store, 60_000, `bridge-${index}`).registry,
    );
    await Promise.all(all.map((registry, index) => registry.claim(claim(`i${index}`), newLink())));
    const having = all.filter((registry) => {
      try {
        return registry.linkOf(store.record()).isOpen;
      } catch {
        return false;
      }
    });
    expect(having).toHaveLength(1);
    expect(all.flatMap(({ holders }) => holders)).toMatchObject([{ leaseEpoch: store.record().leaseEpoch }]);
  });

  it('ends a revoked holder before the revocation is answered, and lets nobody in after it', async () => {
    const { registry, store, told } = newRegistry();
    const link = newLink();
    await registry.claim(claim('a'), link);
    expect(await registry.evict('n1', 'revoked', store.revoke)).toBe(true);
    expect(link.closedFor).toBe('revoked');
    expect(told.at(-1)).toBe('lost 1');
    expect(() => registry.linkOf(store.record())).toThrow(
      expect.objectContaining({ code: 'node-unreachable' }),
    );
    await expect(registry.claim(claim('a'), newLink())).rejects.toMatchObject({
      code: 'invalid-service-credential',
    });
  });

  it('takes nobody in while it stops', async () => {
    const { registry } = newRegistry();
    const link = newLink();
    await registry.claim(claim('a'), link);
    await registry.stop();
    expect(link.closedFor).toBe('drained');
    await expect(registry.claim(claim('b'), newLink())).rejects.toMatchObject({ code: 'shutting-down' });
  });
});
