import { describe, expect, it } from '@jest/globals';
import { checkPath, forwardedPath, pathSegments } from './path-rules.js';

describe('path rules', () => {
  it.each([
    ['/v1/nodes/n/jobs/a%2Fb?x=%3F&x=2', 4, '/a%2Fb?x=%3F&x=2'],
    ['/n/p', 2, '/'],
    ['/n/p/', 2, '/'],
    ['/n/p?q', 2, '/?q'],
    ['/n/p/?q=/a/b', 2, '/?q=/a/b'],
    ['/n/p//double', 2, '//double'],
    ['/n/p/a%3Fb', 2, '/a%3Fb'],
    ['/n', 2, undefined],
    ['/n?/p', 2, undefined],
    ['/a/b', 0, '/a/b'],
  ])('%s without its first %d segments is %s', (target, segments, expected) => {
    expect(forwardedPath(target, segments)).toBe(expected);
  });

  it.each([
    'x',
    '',
    '*',
    'http://h/x',
    '/a b',
    '/a\r\nb',
    '/ä',
    '/a#b',
    '/a\\..\\b',
    '/a/../b',
    '/a/%2e%2E/b',
    '/a/.%2e',
    '/.',
    '/a/..;x/b',
  ])('refuses %j', (path) => {
    expect(() => checkPath(path)).toThrow(expect.objectContaining({ code: 'malformed-request' }));
  });

  it.each(['/', '/...', '/a/..b', '/a?../b', '/%2F%3F', '//x', '/a;b=c', "/~!$&'()*+,=:@"])(
    'passes %j',
    (path) => {
      expect(checkPath(path)).toBe(path);
    },
  );

  it('decodes segments one by one, so that an encoded slash does not separate', () => {
    expect(pathSegments('/a%2Fb/c?d/e')).toEqual(['a/b', 'c']);
    expect(pathSegments('/%ff')).toBeUndefined();
  });
});
