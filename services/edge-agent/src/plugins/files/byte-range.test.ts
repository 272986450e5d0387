import { describe, expect, it } from '@jest/globals';
import { demandConditions, hasEtag, parseRange } from './byte-range.js';

describe('ranges of a file of 100 bytes', () => {
  it.each([
    [undefined, undefined],
    ['bytes=0-9', { start: 0, end: 9 }],
    ['bytes=90-', { start: 90, end: 99 }],
    ['bytes=90-1000', { start: 90, end: 99 }],
    ['bytes=-10', { start: 90, end: 99 }],
    ['bytes=-1000', { start: 0, end: 99 }],
    ['bytes=99-99', { start: 99, end: 99 }],
    // Several, other units and nonsense are answered with the whole.
    ['bytes=0-1,5-6', undefined],
    ['bytes=9-0', undefined],
    ['bytes=-', undefined],
    ['lines=0-9', undefined],
    ['bytes=a-b', undefined],
  ])('%s is %j', (header, expected) => {
    expect(parseRange(header, 100)).toEqual(expected);
  });

  it.each(['bytes=100-', 'bytes=100-200', 'bytes=-0'])('%s lies outside', (header) => {
    expect(() => parseRange(header, 100)).toThrow(
      expect.objectContaining({ status: 416, headers: { 'content-range': 'bytes */100' } }),
    );
  });

  it('no range fits an empty file', () => {
    expect(() => parseRange('bytes=0-0', 0)).toThrow(expect.objectContaining({ status: 416 }));
  });
});

describe('entity tags', () => {
  it.each([
    ['*', '"a"', false, true],
    ['*', undefined, false, false],
    ['"a"', '"a"', false, true],
    ['"b", "a"', '"a"', false, true],
    ['W/"a"', '"a"', false, false],
    ['W/"a"', '"a"', true, true],
    ['"a"', undefined, true, false],
  ])('%s and %s', (header, etag, isWeak, expected) => {
    expect(hasEtag(header, etag, isWeak)).toBe(expected);
  });

  it('hold a change back that was meant for another version', () => {
    const demand =
      (ifMatch: string | undefined, ifNoneMatch: string | undefined, etag: string | undefined) => () =>
        demandConditions({ ifMatch, ifNoneMatch }, etag);
    expect(demand('"a"', undefined, '"a"')).not.toThrow();
    expect(demand('"a"', undefined, '"b"')).toThrow(expect.objectContaining({ status: 412 }));
    expect(demand('"a"', undefined, undefined)).toThrow(expect.objectContaining({ status: 412 }));
    expect(demand(undefined, '*', undefined)).not.toThrow();
    expect(demand(undefined, '*', '"a"')).toThrow(expect.objectContaining({ status: 412 }));
  });
});
