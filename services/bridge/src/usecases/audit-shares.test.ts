import { systemClock } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import type { AuditEntry } from '../ports.js';
import { AuditShares, auditFrom } from './audit-shares.js';

function newShares(bytesPerHour = 100_000) {
  let nowMs = 0;
  const [main, busy]: [AuditEntry[], AuditEntry[]] = [[], []];
  const shares = new AuditShares({
    main: { write: (entry) => void main.push(entry) },
    busy: { write: (entry) => void busy.push(entry) },
    bytesPerHour,
    clock: { ...systemClock, monotonicMs: () => nowMs },
  });
  return {
    ...{ main, busy, shares },
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}
const call = (user: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  ...{ action: 'node.call', outcome: 'done', user, node: 'n1', method: 'POST', path: '/jobs/jobs' },
  ...more,
});

describe('AuditShares', () => {
  it('lets nobody write more than a share, of which others lose nothing', () => {
    const { busy, main, shares, wait } = newShares();
    for (let index = 0; index < 5000; index += 1) shares.record(call('eve'));
    shares.record(call('olga'));
    const size = Buffer.byteLength(JSON.stringify(main.filter(({ user }) => user === 'eve')));
    expect(size).toBeLessThanOrEqual(100_000);
    expect(main.at(-1)?.user).toBe('olga');
    // Nothing is lost.
    expect(main.length + busy.length).toBe(5001);
    expect(new Set(busy.map(({ user }) => user))).toEqual(new Set(['eve']));
    wait(3_600_000);
    shares.record(call('eve'));
    expect(main.at(-1)?.user).toBe('eve');
  });

  it('counts what a node does as its owner, and what has no account together', () => {
    const { busy, shares } = newShares(2000);
    for (let index = 0; index < 20; index += 1) {
      shares.record(call(`node:n${index}`, { owner: 'eve' }));
      shares.record(call(`node:m${index}`));
    }
    expect(busy.some(({ owner }) => owner === 'eve')).toBe(true);
    expect(busy.some(({ owner }) => owner === undefined)).toBe(true);
  });

  it('cuts what a caller may choose', () => {
    const { main, shares } = newShares();
    const long = 'x'.repeat(31_000);
    shares.record(call('eve', { path: long, node: long, code: long, detail: long, requestId: long }));
    expect(JSON.stringify(main).length).toBeLessThan(2200);
    expect(main[0]?.path).toHaveLength(256);
  });

  it('writes probes once a minute, with how many there were', () => {
    const { main, shares, wait } = newShares();
    const probe = (user: string, address: string) =>
      shares.recordProbe(call(user, { outcome: 'refused', code: 'node-not-found', address }));
    for (let index = 0; index < 1000; index += 1) probe('eve', '10.0.0.1');
    probe('eve', '10.0.0.2');
    expect(main.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.2']);
    wait(60_000);
    probe('eve', '10.0.0.1');
    expect(main.slice(2)).toMatchObject([
      { user: 'eve', count: 999, code: 'node-not-found' },
      { user: 'eve' },
    ]);
    probe('eve', '10.0.0.1');
    shares.stop();
    expect(main.at(-1)).toMatchObject({ count: 1, address: '10.0.0.1' });
  });

  it('bounds the probes that it tells apart', () => {
    const { main, shares } = newShares(100_000_000);
    for (let index = 0; index < 10_000; index += 1)
      shares.recordProbe(call(`node:x${index}`, { code: 'none', address: `10.0.${index}` }));
    expect(main.length).toBeLessThanOrEqual(2001);
    shares.stop();
    expect(main.at(-1)?.count).toBeGreaterThan(7000);
  });

  it('says with every line where it came from', () => {
    const { main, shares } = newShares();
    auditFrom(shares, { requestId: 'r', address: '10.0.0.1' }).record(call('eve'));
    expect(main).toMatchObject([{ requestId: 'r', address: '10.0.0.1' }]);
  });
});
