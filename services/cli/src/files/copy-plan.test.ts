import { describe, expect, it } from '@jest/globals';
import { CopyPool, CopyTally, isBegunCopy } from './copy-plan.js';
import { isPlainName, lastNameOf, parsePlace, parseRemote, toWord } from './place.js';
import { TransferProgress, toSize } from './transfer-progress.js';

describe('a place', () => {
  it.each([
    ['n1:/a/b', { kind: 'remote', node: 'n1', path: '/a/b' }],
    ['hpc-login.1:a b', { kind: 'remote', node: 'hpc-login.1', path: 'a b' }],
    ['n1:', { kind: 'remote', node: 'n1', path: '.' }],
    ['n1:a:b', { kind: 'remote', node: 'n1', path: 'a:b' }],
    ['./n1:a', { kind: 'local', path: './n1:a' }],
    ['/n1:a', { kind: 'local', path: '/n1:a' }],
    ['a', { kind: 'local', path: 'a' }],
    [':a', { kind: 'local', path: ':a' }],
  ])('%s', (word, place) => {
    expect(parsePlace(word)).toEqual(place);
  });

  it('of a node is asked for where it must be one', () => {
    expect(toWord(parseRemote('n1:/a'))).toBe('n1:/a');
    expect(() => parseRemote('/a')).toThrow('names no node; write NODE:PATH');
  });

  it.each([
    ['/a/b', 'b'],
    ['a/b/', 'b'],
    ['a/../c', 'c'],
  ])('%s is called %s', (path, name) => {
    expect(lastNameOf(path)).toBe(name);
  });

  it.each(['.', '..', '/', 'a/..', '../..'])('%s has no name of its own', (path) => {
    expect(() => lastNameOf(path)).toThrow('has no name of its own');
  });

  it.each(['', '.', '..', 'a/b', '/etc', '../x', 'a\0b', 'x'.repeat(256)])(
    'a node cannot lead elsewhere by %j',
    (name) => {
      expect(isPlainName(name)).toBe(false);
    },
  );
  it('of any other name is fine', () => {
    expect(['a', '...', 'ä b', '.x', 'C:\\x'].every(isPlainName)).toBe(true);
  });
});

describe('a copy of a folder that broke off', () => {
  const source = new Set(['a', 'b', 'c']);
  it.each([
    [['a', 'b'], true],
    [['a', 'b', 'c'], true],
    [[], false],
    [['a', 'x'], false],
  ])('%j: %s', (there, isBegun) => {
    expect(isBegunCopy(there, source)).toBe(isBegun);
  });
});

describe('a pool of copies', () => {
  const open = () => {
    const tally = new CopyTally();
    const progress = new TransferProgress(undefined);
    progress.stop();
    return { tally, progress, pool: new CopyPool(tally, progress) };
  };

  it('has four under way at most, and counts what was done', async () => {
    const { pool, tally } = open();
    let running = 0;
    let most = 0;
    for (let index = 0; index < 12; index += 1)
      await pool.add(`f${index}`, 10, async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return { sha256: '', isSkipped: index === 0 };
      });
    await pool.end();
    expect(most).toBe(4);
    expect(tally).toMatchObject({ files: 11, bytes: 110, skipped: 1 });
  });

  it('begins nothing after a failure, and passes the first one on', async () => {
    const { pool } = open();
    const begun: number[] = [];
    const fill = async () => {
      for (let index = 0; index < 20; index += 1)
        await pool.add(`f${index}`, 1, async () => {
          begun.push(index);
          throw new Error(`no ${index}`);
        });
      await pool.end();
    };
    await expect(fill()).rejects.toThrow('no 0');
    await pool.settle();
    expect(begun.length).toBeLessThanOrEqual(5);
  });
});

describe('progress', () => {
  it('is told in bytes, per cent and speed, without what was there before', () => {
    const progress = new TransferProgress(4 * 1024 * 1024);
    progress.stop();
    progress.given(1024 * 1024);
    progress.at('a', 3 * 1024 * 1024);
    expect(progress.toText(performance.now() + 2000)).toMatch(
      /^3\.0 MiB of 4\.0 MiB \(75 %\) … (1\.0|102[0-4]\.\d|1023\.\d) [KM]iB\/s$/,
    );
    const folder = new TransferProgress(undefined);
    folder.stop();
    folder.done('a', 100);
    folder.at('b', 24);
    expect(folder.toText()).toMatch(/^1 files, 124 B … /);
  });

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [5 * 1024 ** 4, '5.0 TiB'],
    [5000 * 1024 ** 4, '5000.0 TiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(toSize(bytes)).toBe(text);
  });
});
