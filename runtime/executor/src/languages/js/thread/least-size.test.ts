import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { leastJsonChars } from './least-size.js';

describe('the least size of a result', () => {
  it('is never more than its JSON has', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(leastJsonChars(value, Number.POSITIVE_INFINITY)).toBeLessThanOrEqual(
          JSON.stringify(value).length,
        );
      }),
    );
    for (const value of [
      Buffer.from('abc'),
      new Uint16Array(3),
      new Date(0),
      new DataView(new ArrayBuffer(9)),
      [],
    ])
      expect(leastJsonChars(value, 1e9)).toBeLessThanOrEqual(JSON.stringify(value).length);
  });

  it.each([
    ['a text', 'x'.repeat(1e6)],
    ['texts in objects in lists', [{ a: ['x'.repeat(6e5)] }, { b: 'x'.repeat(6e5) }]],
    ['the same text again and again', new Array(100).fill('x'.repeat(2e4))],
    ['a list of numbers', new Array(6e5).fill(0)],
    ['a Buffer', Buffer.alloc(6e5)],
    ['numbers in an array of one type', new Float64Array(6e5)],
  ])('is seen of %s', (_name, value) => {
    expect(leastJsonChars(value, 1e6)).toBeGreaterThanOrEqual(1e6);
  });

  it('asks nothing of what may answer itself', () => {
    const asked: string[] = [];
    const fighting = new Proxy({}, { get: (_target, name) => asked.push(String(name)), ownKeys: () => [] });
    const value = {
      fighting,
      get a() {
        asked.push('a');
        return 1;
      },
      short: { toJSON: () => 1, long: 'x'.repeat(1000) },
    };
    expect(leastJsonChars(value, 1e6)).toBeLessThan(100);
    expect(asked).toEqual([]);
  });

  it('of what goes on for ever is found nevertheless', () => {
    const loop: Record<string, unknown> = {};
    loop['a'] = loop;
    expect(leastJsonChars(loop, 1e9)).toBeLessThan(1e5);
  });
});
