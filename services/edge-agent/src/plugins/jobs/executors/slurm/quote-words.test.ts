import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { carriageReturnLines, quoteWord } from './quote-words.js';

/** What a real shell hands to a program. */
function throughShell(words: readonly string[]): readonly string[] {
  const script = `${carriageReturnLines}\nprintf '%s\\0' ${words.map(quoteWord).join(' ')}\n`;
  expect(script).not.toContain('\r');
  return execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
}

describe('words in a shell script', () => {
  it('arrive as they are, whatever they hold', () => {
    const character = fc.oneof(
      fc.constantFrom(
        "'",
        '"',
        '\\',
        '$',
        '`',
        '\r',
        '\n',
        '\t',
        ' ',
        '!',
        '*',
        '#',
        '-',
        '%',
        ';',
        '&',
        '\u0001',
      ),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
    );
    const word = fc
      .array(character, { maxLength: 30 })
      .map((characters) => characters.join('').replaceAll('\0', ''))
      // Half of a surrogate pair is not a character of UTF-8.
      .filter((text) => !/\p{Cs}/u.test(text));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), (words) => {
        expect(throughShell(words)).toEqual(words);
      }),
      { numRuns: 100 },
    );
  });
});
