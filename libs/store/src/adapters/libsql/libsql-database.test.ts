import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LibsqlDatabase, toBindings } from './libsql-database.js';

describe('bindings', () => {
  it.each([
    ['an object', {}],
    ['an array', [1]],
    ['a date', new Date(0)],
    ['nothing', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['not a number', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['more than 64 bits', 2n ** 63n],
    ['a map', new Map()],
  ])('%s is refused before it reaches the native module', (_name, value) => {
    expect(() => toBindings([value])).toThrow(expect.objectContaining({ code: 'internal-error' }));
  });

  it.each([[undefined], [{ a: 1 }], ['text'], [null], [true]])(
    '%p instead of a list is refused',
    (parameters) => {
      expect(() => toBindings(parameters)).toThrow(expect.objectContaining({ code: 'internal-error' }));
    },
  );
});

describe('a libsql database', () => {
  let folder: string;
  let database: LibsqlDatabase;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-libsql-'));
    database = new LibsqlDatabase(join(folder, 'x.db'));
  });
  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('binds flags, whole numbers as integers, fractions, text, bytes and null', () => {
    const bytes = new Uint8Array([9, 1, 2]).subarray(1);
    const values = [true, false, 2 ** 53 - 1, -7, 1.5, 'a\u0000b', bytes, null];
    const columns = values.map((_, at) => `?${at + 1} as v${at}, typeof(?${at + 1}) as t${at}`).join(', ');
    const [row] = database.prepare(`select ${columns}`).all(values) as [Record<string, unknown>];
    const types = values.map((_, at) => row[`t${at}`]);
    expect(types).toEqual(['integer', 'integer', 'integer', 'integer', 'real', 'text', 'blob', 'null']);
    expect([0, 1, 2, 3, 4, 5, 7].map((at) => row[`v${at}`])).toEqual([
      1,
      0,
      2 ** 53 - 1,
      -7,
      1.5,
      'a\uFFFDb',
      null,
    ]);
    expect(Buffer.from(row['v6'] as ArrayBuffer)).toEqual(Buffer.from([1, 2]));
  });

  it('is durable, in WAL mode and checks foreign keys', () => {
    const read = (pragma: string) =>
      Object.values(database.prepare(`pragma ${pragma}`).all([])[0] as object)[0];
    expect([read('journal_mode'), read('synchronous'), read('foreign_keys')]).toEqual(['wal', 2, 1]);
  });

  it('calls a wrong statement our mistake and a closed database unavailable', () => {
    expect(() => database.prepare('select nonsense')).toThrow(
      expect.objectContaining({ code: 'internal-error' }),
    );
    database.prepare('create table t (a integer primary key)').run([]);
    const insert = database.prepare('insert into t values (?)');
    insert.run([1]);
    expect(() => insert.run([1])).toThrow(expect.objectContaining({ code: 'internal-error' }));
    database.close();
    database.close();
    expect(() => insert.run([2])).toThrow(expect.objectContaining({ code: 'store-unavailable' }));
    expect(() => database.prepare('select 1')).toThrow(
      expect.objectContaining({ code: 'store-unavailable' }),
    );
  });
});
