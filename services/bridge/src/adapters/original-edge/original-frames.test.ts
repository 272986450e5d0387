import { describe, expect, it } from '@jest/globals';
import { decode } from '@msgpack/msgpack';
import { bodyOf, encodeRequest, parseFrame, toDecodedPath } from './original-frames.js';

const request = { reqId: 'r', method: 'POST', path: '/psij/x', headers: {} };

describe('frames of original edges', () => {
  it('a text stands in JSON, anything else in msgpack', () => {
    const text = encodeRequest({ ...request, body: Buffer.from('{"a":"é"}') });
    expect(JSON.parse(String(text))).toMatchObject({ is_binary: false, body: '{"a":"é"}', req_id: 'r' });
    expect(JSON.parse(String(encodeRequest({ ...request, body: undefined })))).toMatchObject({ body: null });
    const binary = encodeRequest({ ...request, body: Buffer.from([0xff, 0]) });
    expect(decode(binary as Uint8Array)).toMatchObject({ is_binary: true, body: new Uint8Array([0xff, 0]) });
  });

  it.each([
    [{ body: 'text' }, 'text', false],
    [{ body: 'AP8=', is_binary: true }, '\u0000\u00ff', false],
    [{ body: { a: [1] } }, '{"a":[1]}', true],
    [{ body: false }, 'false', true],
    [{ body: null }, '', false],
    [{}, '', false],
  ])('the body of %j', (frame, text, isJson) => {
    const { bytes, ...rest } = bodyOf({ type: 'response', req_id: 'r', status: 200, ...frame } as never);
    expect(bytes.toString('latin1')).toBe(text);
    expect(rest).toEqual({ isJson });
  });

  it.each([
    '',
    'no json',
    '{"type":"unknown"}',
    '{"type":"response","req_id":"r","status":99}',
    '{"type":"register"}',
    '[]',
  ])('what is no frame is ignored: %s', (text) => {
    expect(parseFrame(Buffer.from(text), false)).toBeUndefined();
    expect(parseFrame(Buffer.from(text), true)).toBeUndefined();
  });

  it.each([
    ['/psij/a%20b%C3%A9/c?x=%20', '/psij/a bé/c?x=%20'],
    ['/staging/a%2Fb%3Fc', '/staging/a%2Fb%3Fc'],
    ['/staging/a%25b%0d%0a', '/staging/a%25b%0d%0a'],
    ['/staging/%ff', '/staging/%ff'],
  ])('the path %s is %s', (path, decoded) => {
    expect(toDecodedPath(path)).toBe(decoded);
  });
});
