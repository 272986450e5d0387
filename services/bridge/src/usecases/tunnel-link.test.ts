import type { Tunnel, TunnelEnd } from '@gantry/tunnel';
import { describe, expect, it } from '@jest/globals';
import { TunnelLink } from './tunnel-link.js';

/** A tunnel that ends a moment after it was closed, as real ones do. */
function newTunnel() {
  let end: (end: TunnelEnd) => void = () => undefined;
  const closed = new Promise<TunnelEnd>((resolve) => {
    end = resolve;
  });
  const reasons: string[] = [];
  const tunnel = {
    closed,
    get isOpen() {
      return reasons.length === 0;
    },
    close: (reason: string) => {
      reasons.push(reason);
      setTimeout(() => end({ kind: 'closed', reason }), 5);
    },
  };
  return { tunnel: tunnel as unknown as Tunnel, reasons, closed };
}

describe('the connections of one agent', () => {
  it('are replaced by what the agent dials again, all of them at once too', async () => {
    const told: string[] = [];
    const link = new TunnelLink('n1', {
      empty: (reason) => told.push(reason),
      thinned: () => told.push('thinned'),
    });
    const dial = () =>
      Array.from({ length: 8 }, (_, slot) => {
        const one = newTunnel();
        link.add(slot, one.tunnel);
        return one;
      });
    // As after a cable was pulled: nobody has told us that the first ones are dead.
    const [dead, alive] = [dial(), dial()];
    await Promise.all(dead.map(({ closed }) => closed));
    expect(dead.map(({ reasons }) => reasons)).toEqual(Array(8).fill(['the agent has dialled again']));
    expect(alive.flatMap(({ reasons }) => reasons)).toEqual([]);
    expect([link.connections, link.isOpen, told]).toEqual([8, true, []]);
    alive[0]?.tunnel.close('lost');
    await alive[0]?.closed;
    expect(told).toEqual(['thinned']);
  });
});
