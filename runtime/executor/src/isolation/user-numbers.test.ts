import { describe, expect, it } from '@jest/globals';
import { hasUserNumbers, takeUserNumber } from './user-numbers.js';

describe('user numbers of programs', () => {
  it('differ, in the range that no system gives out', () => {
    const numbers = Array.from({ length: 100 }, takeUserNumber);
    expect(new Set(numbers).size).toBe(100);
    for (const number of numbers) {
      expect(number).toBeGreaterThanOrEqual(2_000_000_000);
      expect(number).toBeLessThan(2 ** 31);
    }
  });

  it.each([
    ['a machine of its own', '         0          0 4294967295\n', true],
    ['a container with the first 65536 users', '         0     100000      65536\n', false],
    ['a namespace of one user', '      1000       1000          1\n', false],
    ['nothing to read', '', false],
  ])('are looked for: %s', (_name, userMap, expected) => {
    expect(hasUserNumbers(userMap)).toBe(expected);
  });
});
