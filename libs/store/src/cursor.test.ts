import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeCursor, encodeCursor, toPage } from './cursor.js';

describe('cursors', () => {
  it('give back the key they were made from', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.string({ unit: 'grapheme', maxLength: 200 }), (time, id) => {
        const cursor = encodeCursor([time, id]);
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeCursor(cursor, ['number', 'string'])).toEqual([time, id]);
      }),
    );
  });

  it('are refused, whatever stands in them, when this list did not make them', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.base64String()), (text) => {
        for (const cursor of [text, Buffer.from(text).toString('base64url')]) {
          const read = () => decodeCursor(cursor, ['number', 'string', 'number']);
          expect(read).toThrow(expect.objectContaining({ code: 'invalid-request' }));
        }
      }),
    );
  });

  it('end with the last page', () => {
    const page = (rows: number[]) => toPage(rows, 2, (row) => [row], String);
    expect(page([])).toEqual({ items: [], nextCursor: null });
    expect(page([1, 2])).toEqual({ items: ['1', '2'], nextCursor: null });
    expect(page([1, 2, 3])).toEqual({ items: ['1', '2'], nextCursor: encodeCursor([2]) });
  });
});
