import { describe, expect, it } from '@jest/globals';
import {
  headerListBytes,
  toAnswerHeaders,
  toHttp2Fields,
  toRequestHeaders,
  toTrailers,
} from './header-rules.js';

const limits = { maxHeaderListBytes: 1024, maxHeaderCount: 8 };

describe('header rules', () => {
  it.each<[string, string[], Record<string, unknown>]>([
    ['lower-cases names', ['X-One', '1'], { 'x-one': '1' }],
    ['keeps what came twice as an array', ['X-A', '1', 'x-a', '2'], { 'x-a': ['1', '2'] }],
    ['takes the first of what may stand once', ['User-Agent', 'a', 'user-agent', 'b'], { 'user-agent': 'a' }],
    [
      'drops hop-by-hop fields',
      [
        'Connection',
        'keep-alive',
        'Keep-Alive',
        '5',
        'TE',
        'gzip',
        'Upgrade',
        'x',
        'Transfer-Encoding',
        'chunked',
      ],
      {},
    ],
    [
      'drops proxy fields',
      ['Proxy-Authorization', 'x', 'Proxy-Connection', 'close', 'Proxy-Authenticate', 'y'],
      {},
    ],
    [
      'drops what Connection lists',
      ['Connection', 'close, X-Hop', 'X-Hop', '1', 'X-End', '2'],
      { 'x-end': '2' },
    ],
    [
      'lets nobody drop the length',
      ['Connection', 'content-length', 'Content-Length', '3'],
      { 'content-length': '3' },
    ],
    ['drops Host and Expect', ['Host', 'h', 'Expect', '100-continue'], {}],
    ['drops pseudo fields', [':path', '/x', 'x', '1'], { x: '1' }],
    ['joins the crumbs of a cookie', ['Cookie', 'a=1', 'Cookie', 'b=2'], { cookie: 'a=1; b=2' }],
    ['passes Authorization when not asked to strip', ['Authorization', 'x'], { authorization: 'x' }],
    ['is not fooled by __proto__', ['__proto__', 'x'], { ['__proto__']: 'x' }],
  ])('a request %s', (_title, raw, expected) => {
    expect(Object.entries(toRequestHeaders(raw))).toEqual(Object.entries(expected));
  });

  it('strips credentials and named fields when asked to', () => {
    const raw = ['Authorization', 'secret', 'Cookie', 'a=1', 'Token', 't', 'Accept', '*/*'];
    expect({ ...toRequestHeaders(raw, { stripCredentials: true, strip: ['token'] }) }).toEqual({
      accept: '*/*',
    });
  });

  it('sets fields last: a caller can neither forge, double nor remove them', () => {
    const raw = ['Connection', 'gantry-caller', 'Gantry-Caller', 'forged', 'gantry-caller', 'twice'];
    const fields = toRequestHeaders(raw, { set: { 'Gantry-Caller': 'signed', 'x-gone': undefined } });
    expect({ ...fields }).toEqual({ 'gantry-caller': 'signed' });
  });

  it.each<[string, string[], number, Record<string, unknown>]>([
    ['keeps set-cookie an array, also of one', ['set-cookie', 'a=1'], 200, { 'set-cookie': ['a=1'] }],
    ['keeps two cookies apart', ['set-cookie', 'a', 'Set-Cookie', 'b'], 200, { 'set-cookie': ['a', 'b'] }],
    ['drops transfer-encoding', ['transfer-encoding', 'chunked', 'x', '1'], 200, { x: '1' }],
    ['keeps a length', ['content-length', '12'], 200, { 'content-length': '12' }],
    [
      'keeps a length said twice',
      ['content-length', '12', 'content-length', '12'],
      200,
      { 'content-length': '12' },
    ],
    ['drops contradicting lengths', ['content-length', '12', 'content-length', '13'], 200, {}],
    ['drops a length that is none', ['content-length', '-1'], 200, {}],
    ['drops a list of lengths', ['content-length', '1, 1'], 200, {}],
    ['drops the length of an answer without a body', ['content-length', '0'], 204, {}],
    ['drops the status', [':status', '200'], 200, {}],
  ])('an answer %s', (_title, raw, status, expected) => {
    expect({ ...toAnswerHeaders(raw, status) }).toEqual(expected);
  });

  it('trailers carry nothing that frames, routes or signs in', () => {
    const raw = ['Content-Length', '1', 'Host', 'h', 'Authorization', 'x', 'Trailer', 'y', 'X-Sum', 'abc'];
    expect({ ...toTrailers(raw) }).toEqual({ 'x-sum': 'abc' });
  });

  it.each([
    ['a name with a space', { 'a b': '1' }],
    ['an empty name', { '': '1' }],
    ['a pseudo field', { ':path': '/x' }],
    ['a line break in a value', { a: 'x\r\ny: z' }],
    ['a zero byte in a value', { a: 'x\0' }],
    ['a value beyond latin1', { a: '€' }],
    ['a bad one among several', { a: ['fine', 'x\n'] }],
  ])('refuses %s before it reaches http2', (_title, headers) => {
    expect(() => toHttp2Fields(headers, limits)).toThrow(
      expect.objectContaining({ code: 'malformed-request' }),
    );
  });

  it('keeps te: trailers and nothing else of te', () => {
    expect({ ...toHttp2Fields({ TE: 'Trailers' }, limits) }).toEqual({ te: 'trailers' });
    expect({ ...toHttp2Fields({ te: 'gzip' }, limits) }).toEqual({});
  });

  it('refuses more bytes or fields than the limits, with 431', () => {
    const tooLarge = expect.objectContaining({ code: 'header-too-large', status: 431 });
    expect(() => toHttp2Fields({ a: 'x'.repeat(992) }, limits)).toThrow(tooLarge);
    expect(() => toHttp2Fields({ a: 'x'.repeat(900) }, limits, 100)).toThrow(tooLarge);
    expect(() => toHttp2Fields({ a: Array.from({ length: 9 }, () => 'x') }, limits)).toThrow(tooLarge);
    expect(toHttp2Fields({ a: 'x'.repeat(991) }, limits)['a']).toHaveLength(991);
  });

  it('counts a field as HPACK does', () => {
    expect(headerListBytes(['a', 'bc'])).toBe(35);
  });
});
