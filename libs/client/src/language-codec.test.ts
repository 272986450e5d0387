import { describe, expect, it } from '@jest/globals';
import { codecOf } from './language-codec.js';

describe('a value that cannot be a parameter is refused by name', () => {
  const itself: unknown[] = [];
  itself.push(itself);
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];

  it.each([
    ['JS', 'a bigint', 1n],
    ['JS', 'one that contains itself', itself],
    ['JS', 'one that lies very deep', deep],
    ['PY', 'one that contains itself', itself],
    ['PY', 'one that lies very deep', deep],
  ] as const)('%s: %s', (language, _what, value) => {
    expect(() => codecOf(language).encode(value)).toThrow(
      expect.objectContaining({ name: 'GantryError', code: 'invalid-parameters' }),
    );
  });
});

it('a result of Python that lies very deep is read all the same', () => {
  // Lists in lists: as many opened as put into each other.
  const levels = 100_000;
  const res = Buffer.from(`\x80\x04${']'.repeat(levels)}${'a'.repeat(levels - 1)}.`, 'latin1').toString(
    'base64',
  );
  let value = codecOf('PY').decode(res);
  let depth = 0;
  for (; Array.isArray(value); value = (value as unknown[])[0]) depth += 1;
  expect(depth).toBe(levels);
});
