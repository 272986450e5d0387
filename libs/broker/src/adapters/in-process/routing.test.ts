import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isTopicMatch } from './routing.js';

const matches = (pattern: string, key: string) => isTopicMatch(pattern.split('.'), key.split('.'));

describe('topic patterns', () => {
  it.each([
    ['a.b', 'a.b', true],
    ['a.b', 'a.c', false],
    ['a.*', 'a.b', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['a.#', 'a', true],
    ['a.#', 'a.b.c', true],
    ['#', 'a.b', true],
    ['#.c', 'a.b.c', true],
    ['#.c', 'c', true],
    ['#.b.#', 'a.b.c', true],
    ['#.b.#', 'a.c', false],
    ['*.#', 'a', true],
    ['cancel.#', 'cancel.Nature', true],
  ])('%s and %s', (pattern, key, expected) => {
    expect(matches(pattern, key)).toBe(expected);
  });

  it('agree with the regular expression they stand for', () => {
    const words = (letters: string[]) =>
      fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength: 6 }).map((list) => list.join('.'));
    fc.assert(
      fc.property(words(['a', 'b', '*', '#']), words(['a', 'b']), (pattern, key) => {
        expect(matches(pattern, key)).toBe(toRegExp(pattern).test(`.${key}`));
      }),
      { numRuns: 3000 },
    );
  });
});

/** Over a key with a dot before each word. */
const toRegExp = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .split('.')
      .map((word) => (word === '#' ? '(\\.[^.]+)*' : word === '*' ? '\\.[^.]+' : `\\.${word}`))
      .join('')}$`,
  );
