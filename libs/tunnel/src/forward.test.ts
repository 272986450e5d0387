/** The whole way: an HTTP/1.1 caller, the bridge, the tunnel, the agent, an HTTP/1.1 application. */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { isAppError } from '@gantry/kernel';
import { afterEach, describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { type ForwardOptions, type ForwardOutcome, forwardHttp } from './forward-http.js';
import { forwardUpgrade } from './forward-upgrade.js';
import { closeLater, closePairs, openPair, until } from './pair.fixture.js';
import { forwardedPath } from './path-rules.js';
import { serveOrigin, serveOriginUpgrade } from './serve-origin.js';
import type { Tunnel } from './tunnel.js';

afterEach(closePairs);

interface Chain {
  readonly port: number;
  readonly tunnel: Tunnel;
  readonly outcomes: ForwardOutcome[];
}

/** `application` is reached as `/app/…` of the returned port. */
async function openChain(
  application: Server | RequestListener,
  options: Partial<ForwardOptions> = {},
): Promise<Chain> {
  const server = typeof application === 'function' ? createServer(application) : application;
  const origin = { host: '127.0.0.1', port: await listen(server), timeoutMs: 5_000 };
  const { tunnel } = await openPair({
    handler: (request, response) => serveOrigin(request, response, origin),
    onConnect: (request, response) => serveOriginUpgrade(request, response, origin),
  });
  const outcomes: ForwardOutcome[] = [];
  const front = createServer((request, response) => {
    const path = forwardedPath(request.url ?? '/', 1) ?? '/';
    forwardHttp(tunnel, request, response, { path, ...options }).then(
      (outcome) => outcomes.push(outcome),
      (error: unknown) => {
        if (!response.destroyed)
          response.writeHead(isAppError(error) ? error.status : 500).end(String(error));
      },
    );
  });
  front.on('upgrade', (request, socket, head) => {
    const path = forwardedPath(request.url ?? '/', 1) ?? '/';
    forwardUpgrade(tunnel, request, socket, head, { path, ...options }).then(
      (outcome) => outcomes.push(outcome),
      () => socket.destroy(),
    );
  });
  return { port: await listen(front), tunnel, outcomes };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeLater(async () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function call(
  { port }: Chain,
  options: RequestOptions & { body?: string | Buffer | Readable },
): Promise<IncomingMessage> {
  const { body, ...rest } = options;
  const request = httpRequest({ host: '127.0.0.1', port, ...rest });
  if (body instanceof Readable) body.pipe(request);
  else request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

describe('a forwarded request', () => {
  it('arrives as it was sent: target, repeated fields, body, and comes back so', async () => {
    const chain = await openChain((request, response) => {
      void buffer(request).then((body) => {
        response.writeHead(207, 'Multi', [
          ['Set-Cookie', 'a=1; Path=/'],
          ['Set-Cookie', 'b=2'],
          ['X-Twice', '1'],
          ['X-Twice', '2'],
          ['Content-Type', 'application/json'],
        ]);
        const { method, url, rawHeaders } = request;
        response.end(JSON.stringify({ method, url, rawHeaders, body: body.toString('hex') }));
      });
    });
    const answer = await call(chain, {
      method: 'REPORT',
      path: '/app/a%2Fb/%3F?x=1&x=&y=%20',
      headers: { 'x-list': ['1', '2'], cookie: 'c=1', connection: 'close, x-hop', 'x-hop': 'gone' },
      body: Buffer.from([0, 255, 128, 10]),
    });
    expect(answer.statusCode).toBe(207);
    expect(answer.headers['set-cookie']).toEqual(['a=1; Path=/', 'b=2']);
    expect(answer.rawHeaders.filter((name) => name.toLowerCase() === 'x-twice')).toHaveLength(2);
    const seen = JSON.parse(await text(answer));
    expect(seen).toMatchObject({ method: 'REPORT', url: '/a%2Fb/%3F?x=1&x=&y=%20', body: '00ff800a' });
    const names = seen.rawHeaders.filter((_: string, index: number) => index % 2 === 0);
    expect(names.filter((name: string) => name === 'x-list')).toHaveLength(2);
    expect(names).not.toContain('x-hop');
    expect(seen.rawHeaders[names.indexOf('cookie') * 2 + 1]).toBe('c=1');
  });

  it('brings neither Authorization nor Cookie when told so, and brings what the bridge sets', async () => {
    const chain = await openChain((request, response) => void response.end(JSON.stringify(request.headers)), {
      headers: { stripCredentials: true, set: { 'gantry-caller': 'signed' } },
      toAnswer: (headers) => ({ ...headers, 'content-security-policy': "default-src 'none'" }),
    });
    const headers = {
      authorization: 'Bearer secret',
      cookie: 'session=1',
      'gantry-caller': 'forged',
      accept: 'x',
    };
    const answer = await call(chain, { path: '/app/', headers });
    expect(answer.headers['content-security-policy']).toBe("default-src 'none'");
    const seen = JSON.parse(await text(answer));
    expect(seen).toMatchObject({ 'gantry-caller': 'signed', accept: 'x' });
    expect(seen).not.toHaveProperty('authorization');
    expect(seen).not.toHaveProperty('cookie');
  });

  it('carries trailers both ways', async () => {
    const chain = await openChain((request, response) => {
      void text(request).then((body) => {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write(`${body} ${JSON.stringify(request.trailers)}`);
        response.addTrailers({ 'x-sum': '7' });
        response.end();
      });
    });
    const request = httpRequest({
      host: '127.0.0.1',
      port: chain.port,
      path: '/app/',
      method: 'POST',
      headers: { trailer: 'x-in', 'transfer-encoding': 'chunked' },
    });
    request.write('body');
    request.addTrailers({ 'x-in': '5' });
    request.end();
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect(await text(answer)).toBe('body {"x-in":"5"}');
    expect(answer.trailers).toEqual({ 'x-sum': '7' });
  });

  it('streams events at once, and the application learns that the caller left', async () => {
    const events = new PassThrough();
    let isGone = false;
    const chain = await openChain((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      events.pipe(response);
      request.on('close', () => (isGone = true));
    });
    const answer = await call(chain, { path: '/app/events' });
    // The head is here before the first event.
    expect(answer.headers['content-type']).toBe('text/event-stream');
    const reader = answer[Symbol.asyncIterator]();
    for (const count of [1, 2, 3]) {
      events.write(`data: ${count}\n\n`);
      expect(String((await reader.next()).value)).toBe(`data: ${count}\n\n`);
    }
    answer.destroy();
    await until(() => isGone, 'the application sees it');
    await until(() => chain.outcomes.length === 1, 'the bridge sees it');
    expect(chain.outcomes[0]?.kind).toBe('caller-left');
  });

  it('whose caller leaves before the answer is cancelled at the application', async () => {
    let isAsked = false;
    let isGone = false;
    const chain = await openChain((request) => {
      isAsked = true;
      request.on('close', () => (isGone = true));
    });
    const request = httpRequest({ host: '127.0.0.1', port: chain.port, path: '/app/' });
    request.on('error', () => undefined);
    request.end();
    await until(() => isAsked, 'the application is asked');
    request.destroy();
    await until(() => isGone, 'the application sees it');
  });

  it('whose application breaks off fails at the caller, and never looks complete', async () => {
    const chain = await openChain((_request, response) => {
      response.write('part');
      setTimeout(() => response.destroy(), 20);
    });
    const answer = await call(chain, { path: '/app/' });
    await expect(text(answer)).rejects.toThrow();
    await until(() => chain.outcomes.length === 1, 'the bridge sees it');
    expect(chain.outcomes[0]).toEqual({ kind: 'broken-off', status: 200 });
  });

  it('to an application that does not run is 502', async () => {
    const server = createServer();
    const chain = await openChain(server);
    await new Promise((resolve) => server.close(resolve));
    expect((await call(chain, { path: '/app/' })).statusCode).toBe(502);
  });

  it('to an application that does not answer is 504 in time', async () => {
    const silent = createServer(() => undefined);
    const origin = { host: '127.0.0.1', port: await listen(silent), timeoutMs: 50 };
    const { tunnel } = await openPair({
      handler: (request, response) => serveOrigin(request, response, origin),
      onConnect: (request, response) => serveOriginUpgrade(request, response, origin),
    });
    const late = await tunnel.request({ method: 'GET', path: '/' });
    expect([late.status, await text(late.body)]).toEqual([504, 'The application did not answer in time']);
    const connection = await tunnel.connect({ path: '/' });
    if (connection.kind === 'open') throw new Error('a silent application was connected to');
    expect([connection.answer.status, await text(connection.answer.body)]).toEqual([504, expect.any(String)]);
    await until(() => tunnel.openStreams === 0, 'nothing stays open');
  });

  it('to a node that answers what HTTP/1.1 cannot carry is 502, and nothing stays open', async () => {
    const chain = await openChain((_request, response) => void response.end(), {
      toAnswer: (headers) => ({ ...headers, 'x-bad': 'a\nb' }),
    });
    expect((await call(chain, { path: '/app/' })).statusCode).toBe(502);
    await until(() => chain.tunnel.openStreams === 0, 'the stream is closed');
  });

  it('with an early answer gets it, though the body was not taken', async () => {
    const chain = await openChain((_request, response) => void response.writeHead(413).end('too much'));
    const body = new PassThrough();
    body.write(Buffer.alloc(100_000));
    const answer = await call(chain, { path: '/app/', method: 'POST', body });
    expect([answer.statusCode, answer.headers.connection, await text(answer)]).toEqual([
      413,
      'close',
      'too much',
    ]);
  });

  it('with a body that breaks off does not look complete to the application', async () => {
    let outcome = '';
    let isAsked = false;
    const chain = await openChain((request, response) => {
      isAsked = true;
      text(request).then(
        () => (outcome = 'complete'),
        () => (outcome = 'broken'),
      );
      response.on('error', () => undefined);
    });
    const request = httpRequest({
      host: '127.0.0.1',
      port: chain.port,
      path: '/app/',
      method: 'POST',
      headers: { 'content-length': '1000' },
    });
    request.on('error', () => undefined);
    request.write('half');
    await until(() => isAsked, 'the application has it');
    request.destroy();
    await until(() => outcome !== '', 'the application sees it');
    expect(outcome).toBe('broken');
  });

  it('goes on with the next one on the same caller connection', async () => {
    const chain = await openChain((_request, response) => void response.end('ok'));
    for (const path of ['/app/1', '/app/2', '/app/3'])
      expect(await text(await call(chain, { path }))).toBe('ok');
    await until(() => chain.outcomes.length === 3, 'all are done');
    expect(chain.tunnel.openStreams).toBe(0);
  });
});

describe('a forwarded WebSocket', () => {
  async function openEcho(): Promise<Chain & { application: WebSocketServer }> {
    const server = createServer((_request, response) => void response.writeHead(404).end('no page'));
    const application = new WebSocketServer({ server, path: '/ws', handleProtocols: () => 'chat' });
    application.on('connection', (socket) => {
      socket.on('message', (data, isBinary) => {
        if (String(data) === 'bye') socket.close(4001, 'as you wish');
        else socket.send(data, { binary: isBinary });
      });
    });
    return { ...(await openChain(server)), application };
  }

  it('echoes text and binary, small and large, with its subprotocol, compression and close code', async () => {
    const { port } = await openEcho();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/app/ws`, ['chat', 'other']);
    await once(socket, 'open');
    expect(socket.protocol).toBe('chat');
    const large = Buffer.alloc(3 * 1024 * 1024, 'ab');
    for (const message of ['hello', Buffer.from([0, 1, 255]), large]) {
      socket.send(message);
      const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
      expect(isBinary).toBe(typeof message !== 'string');
      expect(Buffer.compare(data, Buffer.from(message))).toBe(0);
    }
    socket.send('bye');
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).toEqual([4001, 'as you wish']);
  });

  it('that the caller drops is dropped at the application', async () => {
    const { port, application, tunnel } = await openEcho();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/app/ws`);
    await once(socket, 'open');
    expect(application.clients.size).toBe(1);
    socket.terminate();
    await until(() => application.clients.size === 0, 'the application sees it');
    await until(() => tunnel.openStreams === 0, 'the stream is closed');
  });

  it('that the application drops is dropped at the caller', async () => {
    const { port, application } = await openEcho();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/app/ws`);
    socket.on('error', () => undefined);
    await once(socket, 'open');
    for (const client of application.clients) client.terminate();
    expect((await once(socket, 'close'))[0]).toBe(1006);
  });

  it('that the application refuses is refused with its answer', async () => {
    const { port } = await openEcho();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/app/nowhere`);
    socket.on('error', () => undefined);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(400);
    socket.terminate();
  });
});
