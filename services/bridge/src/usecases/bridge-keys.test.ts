import { silentLogger, systemClock } from '@gantry/kernel';
import type { KeyStore, SigningKey } from '@gantry/store';
import { afterEach, describe, expect, it } from '@jest/globals';
import { BridgeKeys, planRetirement } from './bridge-keys.js';

const dayMs = 86_400_000;

/** Two bridges on one store. */
function newBridges() {
  let stored: SigningKey[] = [];
  const keys: KeyStore = {
    list: async () => [...stored],
    add: async (key, expectedNewestId) => {
      if (stored.at(-1)?.id !== expectedNewestId) return false;
      stored = [...stored, key];
      return true;
    },
    removeOlderThan: async (beforeMs) => {
      stored = stored.filter(
        ({ createdAtMs }, index) => createdAtMs >= beforeMs || index === stored.length - 1,
      );
    },
  };
  let [nowMs, monotonicMs] = [Date.now(), 1e6];
  const clock = { ...systemClock, now: () => nowMs, monotonicMs: () => monotonicMs };
  const newBridge = () => {
    const told = { rotations: 0, verifying: [] as number[] };
    const bridge = new BridgeKeys({
      ...{ keys, clock, logger: silentLogger, credentialLifetimeMs: 30 * dayMs, pollMs: 3_600_000 },
      verifier: {
        setKeys: (live) => {
          told.verifying = live.map(({ id }) => id);
        },
      },
      newKey: (id) => ({ id, privateKey: `private-${id}`, publicKey: `public-${id}` }),
      onRotated: () => {
        told.rotations += 1;
      },
    });
    started.push(bridge);
    return { bridge, told };
  };
  return {
    ...{ a: newBridge(), b: newBridge(), stored: () => stored.map(({ id }) => id) },
    pass: (ms: number) => {
      nowMs += ms;
      monotonicMs += ms;
    },
  };
}
const started: BridgeKeys[] = [];
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});

describe('the keys of bridges', () => {
  it('are the same for all bridges of a store, however they start and rotate at once', async () => {
    const { a, b, pass, stored } = newBridges();
    await Promise.all([a.bridge.start(), b.bridge.start()]);
    await Promise.all([a.bridge.rotate(), b.bridge.rotate()]);
    expect(stored()).toEqual([1, 2, 3]);
    pass(2000);
    await Promise.all([a.bridge.findNew(), b.bridge.findNew()]);
    for (const { bridge, told } of [a, b]) {
      expect(bridge.current.id).toBe(3);
      expect(told.verifying).toEqual([1, 2, 3]);
    }
  });

  it('sign with the newest that the node knows, so that a rotation interrupts nobody', async () => {
    const { a } = newBridges();
    await a.bridge.start();
    await a.bridge.rotate();
    expect(a.told.rotations).toBe(1);
    expect([[1], [1, 2], [2], undefined, [9]].map((known) => a.bridge.newestOf(known).id)).toEqual([
      1, 2, 2, 2, 2,
    ]);
  });

  it('are read again at once when a node speaks of one that another bridge made, and not for others', async () => {
    const { a, b, pass } = newBridges();
    await a.bridge.start();
    await b.bridge.start();
    await a.bridge.rotate();
    await b.bridge.learn([1]);
    expect(b.bridge.current.id).toBe(1);
    await b.bridge.learn([2]);
    expect([b.bridge.current.id, b.told.rotations]).toEqual([2, 1]);
    // Made-up ids do not become reads of the store without end.
    expect(await b.bridge.findNew()).toBe(false);
    pass(2000);
    expect(await b.bridge.findNew()).toBe(false);
  });

  it('stay until no credential that they signed can be in force, and not longer', async () => {
    const { a, pass, stored } = newBridges();
    await a.bridge.start();
    pass(dayMs);
    await a.bridge.rotate();
    pass(29 * dayMs);
    await a.bridge.findNew();
    expect(a.told.verifying).toEqual([1, 2]);
    pass(dayMs + 600_000);
    await a.bridge.findNew();
    expect([a.told.verifying, stored()]).toEqual([[2], [2]]);
  });

  it('are never all retired', () => {
    const key = (id: number, createdAtMs: number) => ({ id, createdAtMs, privateKey: '', publicKey: '' });
    expect(planRetirement([], 10)).toBe(0);
    expect(planRetirement([key(1, 1)], 10)).toBe(1);
    expect(planRetirement([key(1, 1), key(2, 5), key(3, 20)], 10)).toBe(5);
  });
});
