import { describe, expect, it } from '@jest/globals';
import { argon2Hasher, decoyHash } from './argon2-hasher.js';

describe('argon2Hasher', () => {
  it('verifies its own hashes, which never repeat, and nothing else', async () => {
    const [first, second] = await Promise.all([
      argon2Hasher.hash('a password'),
      argon2Hasher.hash('a password'),
    ]);
    expect(first).not.toBe(second);
    expect(await argon2Hasher.verify(first ?? '', 'a password')).toBe(true);
    expect(await argon2Hasher.verify(first ?? '', 'another one')).toBe(false);
  });

  it('has a decoy that costs what a real hash costs', async () => {
    const costOf = (hash: string) => hash.split('$').slice(0, 4);
    expect(costOf(decoyHash)).toEqual(costOf(await argon2Hasher.hash('a password')));
    const sizesOf = (hash: string) =>
      hash
        .split('$')
        .slice(4)
        .map(({ length }) => length);
    expect(sizesOf(decoyHash)).toEqual(sizesOf(await argon2Hasher.hash('a password')));
  });
});
