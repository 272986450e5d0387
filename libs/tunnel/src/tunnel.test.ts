import { randomBytes } from 'node:crypto';
import type { Http2ServerResponse } from 'node:http2';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { TunnelHandler } from './dial-tunnel.js';
import { closePairs, openPair, until } from './pair.fixture.js';
import { abortSignalOf } from './stream-events.js';

afterEach(closePairs);

const echo: TunnelHandler = (request, response) => void request.pipe(response);
const problem = (code: string) => expect.objectContaining({ name: 'AppError', code });

describe('a request through the tunnel', () => {
  it('carries method, path, headers, body and trailers both ways, byte for byte', async () => {
    const { tunnel } = await openPair({
      handler: async (request, response) => {
        const body = await text(request);
        response.addTrailers({ 'x-sum': '42' });
        response.writeHead(201, {
          'set-cookie': ['a=1', 'b=2'],
          'x-list': ['1', '2'],
          'content-type': 'text/plain',
        });
        const { method, url, headers, trailers, rawHeaders } = request;
        response.end(JSON.stringify({ method, url, headers, trailers, rawHeaders, body }));
      },
    });
    const answer = await tunnel.request({
      method: 'PUT',
      path: '/a%2Fb%3Fc//d?x=1&x=2&y=',
      authority: 'app.example',
      headers: {
        'X-Mixed': 'yes',
        'x-twice': ['1', '2'],
        connection: 'close',
        'transfer-encoding': 'chunked',
      },
      body: Readable.from([Buffer.from('one '), Buffer.from('two')]),
      trailers: () => ({ 'x-end': 'done' }),
    });
    expect(answer.status).toBe(201);
    expect(answer.headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'x-list': ['1', '2'] });
    const seen = JSON.parse(await text(answer.body));
    expect(seen).toMatchObject({ method: 'PUT', url: '/a%2Fb%3Fc//d?x=1&x=2&y=', body: 'one two' });
    expect(seen.headers).toMatchObject({ ':authority': 'app.example', 'x-mixed': 'yes' });
    expect(seen.headers).not.toHaveProperty('connection');
    expect(seen.headers).not.toHaveProperty('transfer-encoding');
    // Two fields, not one joined field.
    expect(seen.rawHeaders.filter((name: string) => name === 'x-twice')).toHaveLength(2);
    expect(seen.trailers).toEqual({ 'x-end': 'done' });
    expect(await answer.trailers).toEqual({ 'x-sum': '42' });
  });

  it('passes 12 MB of random bytes both ways unchanged', async () => {
    const { tunnel } = await openPair({ handler: echo });
    const bytes = randomBytes(12 * 1024 * 1024);
    const answer = await tunnel.request({ method: 'POST', path: '/', body: bytes });
    expect((await buffer(answer.body)).equals(bytes)).toBe(true);
    expect(tunnel.isOpen).toBe(true);
  });

  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'])('passes %s', async (method) => {
    const { tunnel } = await openPair({
      handler: (request, response) => void response.writeHead(204, { 'x-method': request.method }).end(),
    });
    const answer = await tunnel.request({ method, path: '/' });
    expect([answer.status, answer.headers['x-method'], await text(answer.body)]).toEqual([204, method, '']);
  });

  it('gives the head of a HEAD request its length', async () => {
    const { tunnel } = await openPair({
      handler: (_request, response) => void response.writeHead(200, { 'content-length': '1000' }).end(),
    });
    const answer = await tunnel.request({ method: 'HEAD', path: '/' });
    expect([answer.headers['content-length'], await text(answer.body)]).toEqual(['1000', '']);
  });

  it('lets two callers with the same X-Request-ID each have their own answer', async () => {
    const waiting: (() => void)[] = [];
    const { tunnel } = await openPair({
      handler: (request, response) => {
        waiting.push(() => response.end(request.url));
        // The second is answered before the first.
        if (waiting.length === 2) for (const answer of waiting.reverse()) answer();
      },
    });
    const headers = { 'x-request-id': 'req.000001' };
    const answers = await Promise.all(
      ['/first', '/second'].map((path) => tunnel.request({ method: 'GET', path, headers })),
    );
    expect(await Promise.all(answers.map(({ body }) => text(body)))).toEqual(['/first', '/second']);
  });

  it('streams events as they are written', async () => {
    const events = new PassThrough();
    const { tunnel } = await openPair({
      handler: (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        events.pipe(response);
      },
    });
    const answer = await tunnel.request({ method: 'GET', path: '/events' });
    const reader = answer.body[Symbol.asyncIterator]();
    for (const count of [1, 2, 3]) {
      events.write(`data: ${count}\n\n`);
      // Nothing else is written until this one has come.
      expect(String((await reader.next()).value)).toBe(`data: ${count}\n\n`);
    }
    events.end();
    expect((await reader.next()).done).toBe(true);
  });

  it('answers in both directions at once: the head may come before the body has ended', async () => {
    const { tunnel } = await openPair({ handler: echo });
    const body = new PassThrough();
    body.write('hello');
    const answer = await tunnel.request({ method: 'POST', path: '/', body });
    const reader = answer.body[Symbol.asyncIterator]();
    for (const word of ['hello', 'ping', 'pong']) {
      if (word !== 'hello') body.write(word);
      expect(String((await reader.next()).value)).toBe(word);
    }
    body.end();
    expect((await reader.next()).done).toBe(true);
  });
});

describe('an abort', () => {
  it('of the caller before the answer is seen by the node', async () => {
    let seen: AbortSignal | undefined;
    const { tunnel } = await openPair({
      handler: (request) => {
        seen = abortSignalOf(request);
      },
    });
    const caller = new AbortController();
    const request = tunnel.request({ method: 'GET', path: '/', signal: caller.signal });
    await until(() => seen !== undefined, 'the node has the request');
    caller.abort(new Error('changed my mind'));
    await expect(request).rejects.toThrow('changed my mind');
    await until(() => seen?.aborted === true, 'the node sees the abort');
    expect(tunnel.openStreams).toBe(0);
  });

  it('of the caller in the middle of the answer is seen by the node', async () => {
    let seen: AbortSignal | undefined;
    const { tunnel } = await openPair({
      handler: (request, response) => {
        seen = abortSignalOf(request);
        response.write('begin');
      },
    });
    const answer = await tunnel.request({ method: 'GET', path: '/' });
    answer.body.destroy();
    await until(() => seen?.aborted === true, 'the node sees the abort');
  });

  it('of the signal in the middle of the answer fails the body with its reason', async () => {
    const { tunnel } = await openPair({ handler: (_request, response) => void response.write('begin') });
    const caller = new AbortController();
    const answer = await tunnel.request({ method: 'GET', path: '/', signal: caller.signal });
    caller.abort(new Error('enough'));
    await expect(text(answer.body)).rejects.toThrow('enough');
  });

  it('in the middle of the body of the request is seen by the node, and fails the request', async () => {
    let seen: AbortSignal | undefined;
    const { tunnel } = await openPair({
      handler: (request) => {
        request.resume();
        seen = abortSignalOf(request);
      },
    });
    const body = new PassThrough();
    body.write('half');
    const request = tunnel.request({ method: 'POST', path: '/', body });
    await until(() => seen !== undefined, 'the node has the request');
    body.destroy();
    await expect(request).rejects.toEqual(problem('malformed-request'));
    await until(() => seen?.aborted === true, 'the node sees the abort');
  });

  it('is none when the answer is complete', async () => {
    let seen: AbortSignal | undefined;
    const { tunnel } = await openPair({
      handler: (request, response) => {
        seen = abortSignalOf(request);
        response.end('done');
      },
    });
    expect(await text((await tunnel.request({ method: 'GET', path: '/' })).body)).toBe('done');
    await until(() => tunnel.openStreams === 0, 'the stream is closed');
    await tunnel.ping();
    expect(seen?.aborted).toBe(false);
  });

  it.each([
    ['destroys the response', (stream: { destroy(): void }) => stream.destroy()],
    ['resets with NO_ERROR', (stream: { close(code: number): void }) => stream.close(0)],
    ['resets with CANCEL', (stream: { close(code: number): void }) => stream.close(8)],
    ['resets with INTERNAL_ERROR', (stream: { close(code: number): void }) => stream.close(2)],
  ])('of a node that %s is an error, and never looks like a complete answer', async (_title, breakOff) => {
    const { tunnel } = await openPair({
      handler: (request, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('x'.repeat(500));
        setTimeout(() => breakOff(request.stream), 20);
      },
    });
    const answer = await tunnel.request({ method: 'GET', path: '/' });
    await expect(text(answer.body)).rejects.toEqual(problem('node-failed'));
    expect(await answer.trailers).toEqual({});
  });

  it('of a node without an announced length is an error as well', async () => {
    const { tunnel } = await openPair({
      handler: (request, response) => {
        response.write('part');
        setTimeout(() => request.stream.destroy(), 20);
      },
    });
    const answer = await tunnel.request({ method: 'GET', path: '/' });
    await expect(text(answer.body)).rejects.toEqual(problem('node-failed'));
  });

  it('of a node before its answer fails the request', async () => {
    const { tunnel } = await openPair({ handler: (request) => void request.stream.destroy() });
    await expect(tunnel.request({ method: 'GET', path: '/' })).rejects.toEqual(problem('node-failed'));
    expect(tunnel.isOpen).toBe(true);
  });

  it('of a node that wants no more of the body gives its answer and stops the sender', async () => {
    const { tunnel } = await openPair({
      handler: (request, response) => {
        response.writeHead(413).end('too much');
        response.on('finish', () => request.stream.close(0));
      },
    });
    const body = new PassThrough();
    body.write(Buffer.alloc(64 * 1024));
    const answer = await tunnel.request({ method: 'POST', path: '/', body });
    expect([answer.status, await text(answer.body)]).toEqual([413, 'too much']);
    await until(() => body.destroyed, 'the sender is stopped');
  });
});

describe('limits of a tunnel', () => {
  it('refuses one request more than the node takes at once, and takes it when one has ended', async () => {
    const open: (() => void)[] = [];
    const { tunnel } = await openPair({
      limits: { maxConcurrentStreams: 2 },
      handler: (_request, response) => void open.push(() => response.end('done')),
    });
    const running = [1, 2].map(() => tunnel.request({ method: 'GET', path: '/' }));
    await expect(tunnel.request({ method: 'GET', path: '/' })).rejects.toEqual(problem('node-busy'));
    await until(() => open.length === 2, 'both run');
    open[0]?.();
    await text((await Promise.race(running)).body);
    await until(() => tunnel.hasRoom, 'there is room');
    const third = tunnel.request({ method: 'GET', path: '/' });
    await until(() => open.length === 3, 'the third runs');
    for (const end of open) end();
    expect((await third).status).toBe(200);
  });

  it('keeps to the lower limit of the two ends', async () => {
    const { tunnel } = await openPair({
      bridgeLimits: { maxConcurrentStreams: 10 },
      limits: { maxConcurrentStreams: 1 },
      handler: () => undefined,
    });
    tunnel.request({ method: 'GET', path: '/' }).catch(() => undefined);
    await expect(tunnel.request({ method: 'GET', path: '/' })).rejects.toEqual(problem('node-busy'));
  });

  it('refuses headers above the limit with 431 and goes on', async () => {
    const { tunnel } = await openPair();
    const headers = { 'x-large': 'x'.repeat(64 * 1024) };
    await expect(tunnel.request({ method: 'GET', path: '/', headers })).rejects.toEqual(
      problem('header-too-large'),
    );
    const path = `/${'x'.repeat(64 * 1024)}`;
    await expect(tunnel.request({ method: 'GET', path })).rejects.toEqual(problem('header-too-large'));
    const fine = await tunnel.request({
      method: 'GET',
      path: '/',
      headers: { 'x-large': 'x'.repeat(60 * 1024) },
    });
    expect(await text(fine.body)).toBe('ok');
  });

  it('takes as many header fields as the limit says both ways, and not one more', async () => {
    const fieldsOf = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, String(index)]));
    const { tunnel } = await openPair({
      handler: (request, response) => {
        const { length } = Object.keys(request.headers).filter((name) => name.startsWith('x-'));
        // `date` is one as well.
        response.writeHead(200, fieldsOf(255)).end(String(length));
      },
    });
    const answer = await tunnel.request({ method: 'GET', path: '/', headers: fieldsOf(256) });
    expect(await text(answer.body)).toBe('256');
    expect(Object.keys(answer.headers)).toHaveLength(256);
    const tooMany = tunnel.request({ method: 'GET', path: '/', headers: fieldsOf(257) });
    await expect(tooMany).rejects.toEqual(problem('header-too-large'));
  });

  it('survives an answer whose headers are above the limit', async () => {
    const { tunnel } = await openPair({
      bridgeLimits: { maxHeaderListBytes: 16 * 1024 },
      limits: { maxHeaderListBytes: 64 * 1024 },
      handler: (request, response) =>
        void response
          .writeHead(200, request.url === '/large' ? { 'x-large': 'x'.repeat(40_000) } : {})
          .end('ok'),
    });
    await expect(tunnel.request({ method: 'GET', path: '/large' })).rejects.toEqual(problem('node-failed'));
    const fine = await tunnel.request({ method: 'GET', path: '/' });
    expect(await text(fine.body)).toBe('ok');
  });

  it('refuses a header that would end the whole session, and goes on', async () => {
    const { tunnel } = await openPair();
    const headers = { 'bad name': 'x' };
    await expect(tunnel.request({ method: 'GET', path: '/', headers })).rejects.toEqual(
      problem('malformed-request'),
    );
    await expect(tunnel.request({ method: 'GET', path: '/../x' })).rejects.toEqual(
      problem('malformed-request'),
    );
    expect((await tunnel.request({ method: 'GET', path: '/' })).status).toBe(200);
  });

  it('gives a node that does not answer its time, and not more', async () => {
    let seen: AbortSignal | undefined;
    const { tunnel } = await openPair({
      handler: (request) => {
        seen = abortSignalOf(request);
      },
    });
    const late = tunnel.request({ method: 'GET', path: '/', timeoutMs: 100 });
    await expect(late).rejects.toEqual(problem('node-timeout'));
    await until(() => seen?.aborted === true, 'the node is told');
    expect(tunnel.isOpen).toBe(true);
  });

  it('cancels a stream on which nothing moves', async () => {
    const { tunnel } = await openPair({ handler: (_request, response) => void response.write('begin') });
    const answer = await tunnel.request({ method: 'GET', path: '/', idleTimeoutMs: 100 });
    await expect(text(answer.body)).rejects.toEqual(problem('node-timeout'));
  });

  it('survives a handler that throws, and one that rejects', async () => {
    const { tunnel } = await openPair({
      handler: (request) => {
        if (request.url === '/throws') throw new Error('a bug');
        return Promise.reject(new Error('a late bug'));
      },
    });
    for (const path of ['/throws', '/rejects'])
      expect((await tunnel.request({ method: 'GET', path })).status).toBe(500);
  });

  it('lets a handler return what it likes', async () => {
    const handler = ((_request: unknown, response: Http2ServerResponse) =>
      response.end('done')) as unknown as TunnelHandler;
    const { tunnel } = await openPair({ handler });
    const answer = await tunnel.request({ method: 'GET', path: '/' });
    expect([answer.status, await text(answer.body)]).toEqual([200, 'done']);
  });

  it('measures the round trip', async () => {
    const { tunnel, dialler } = await openPair({ limits: { heartbeatIntervalMs: 20 } });
    expect(await tunnel.ping()).toBeGreaterThan(0);
    await until(
      () => tunnel.latencyMs !== undefined && dialler.latencyMs !== undefined,
      'both have measured',
    );
    expect(tunnel.latencyMs).toBeGreaterThan(0);
  });
});
