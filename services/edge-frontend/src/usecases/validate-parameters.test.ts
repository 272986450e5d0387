import { isBase64 } from '@gantry/contracts';
import { isAppError } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { validateParameters } from './validate-parameters.js';

const isValid = (text: string): boolean => {
  try {
    validateParameters(Buffer.from(text));
    return true;
  } catch (error) {
    if (!isAppError(error)) throw error;
    return false;
  }
};

/** The plain way to say the same. */
const isValidBySpecification = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string' && isBase64(item));
  } catch {
    return false;
  }
};

describe('the parameters of a call', () => {
  it.each([
    '[]',
    ' [ ] ',
    '[""]',
    '["MQ=="]',
    '["MQ==" , "TWFu"]',
    '[\n"MTI="\t]\r\n',
    '["\\u004dQ=="]',
    '["AA\\/A"]',
  ])('may be %j', (text) => expect(isValid(text)).toBe(true));

  it.each([
    '',
    '[',
    '["MQ=="',
    '["MQ==",]',
    '[,]',
    '["MQ=="] x',
    '["MQ"]',
    '["M==="]',
    '["===="]',
    '["=MQ="]',
    '[1]',
    'null',
  ])('may not be %j', (text) => expect(isValid(text)).toBe(false));

  it('are judged as by JSON and the rules of base64, however they are spelled', () => {
    const piece = fc.constantFrom(
      '[',
      ']',
      '"',
      ',',
      ' ',
      'MQ==',
      'TWFu',
      'M',
      '=',
      '\\',
      '/',
      '+',
      '\\/',
      '\\u004d',
      '1',
      '\n',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        for (const text of [pieces.join(''), `[${pieces.join('')}]`, `["${pieces.join('')}"]`])
          expect([text, isValid(text)]).toEqual([text, isValidBySpecification(text)]);
      }),
      { numRuns: 3000 },
    );
  });
});
