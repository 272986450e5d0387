/** A WebSocket from a client through a bridge and a tunnel to bytes at the agent. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type Duplex, PassThrough, pipeline } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { forwardUpgrade } from './forward-upgrade.js';
import { closeLater, closePairs, openPair, until } from './pair.fixture.js';
import { acceptWebSocket, openWebSocket } from './web-socket-ends.js';

afterEach(closePairs);

/** @returns where a client finds what the agent does with its bytes */
async function openBridge(onOpen: (bytes: Duplex) => void) {
  const streams: ServerHttp2Stream[] = [];
  const { tunnel } = await openPair({
    handler: (_request, response) => void response.writeHead(404).end(),
    onConnect: (request, response) => {
      streams.push(request.stream);
      if (request.url === '/closed') response.writeHead(404).end('nothing here');
      else acceptWebSocket(request, response, onOpen);
    },
  });
  const front = createServer();
  front.on('upgrade', (request, socket, head) => {
    forwardUpgrade(tunnel, request, socket, head, { path: request.url ?? '/' }).catch(() => socket.destroy());
  });
  return { url: await listen(front), tunnel, streams };
}

async function listen(front: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  closeLater(async () => {
    front.closeAllConnections();
    front.close();
  });
  return `ws://127.0.0.1:${(front.address() as AddressInfo).port}`;
}

const refusing = (answer: RequestListener) => {
  const front = createServer(answer);
  return listen(front);
};

describe('a WebSocket through a bridge', () => {
  it('carries bytes both ways, whatever pieces they come in', async () => {
    const { tunnel, url } = await openBridge((bytes) => pipeline(bytes, new PassThrough(), bytes, () => 0));
    const client = await openWebSocket(`${url}/echo`, { headers: {} });
    const sent = Buffer.alloc(3_000_000, 'gantry');
    const received: Buffer[] = [];
    client.on('data', (piece: Buffer) => received.push(piece));
    for (let at = 0; at < sent.length; at += 100_001) client.write(sent.subarray(at, at + 100_001));
    await until(() => Buffer.concat(received).length === sent.length, 'everything is back');
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    client.destroy();
    await until(() => tunnel.openStreams === 0, 'nothing stays open');
  });

  it('adds no listeners while it carries bytes, and few before', async () => {
    const { streams, url } = await openBridge((bytes) => pipeline(bytes, new PassThrough(), bytes, () => 0));
    const client = await openWebSocket(url, { headers: {} });
    let receivedBytes = 0;
    client.on('data', (piece: Buffer) => {
      receivedBytes += piece.length;
    });
    const counts: number[] = [];
    for (let round = 1; round <= 50; round += 1) {
      client.write(Buffer.alloc(200_000));
      await until(() => receivedBytes === round * 200_000, 'the round is back');
      const [stream] = streams;
      for (const event of ['close', 'drain', 'error', 'finish', 'end'])
        counts.push(stream?.listenerCount(event) ?? Number.NaN);
    }
    // Whoever serves the request adds some of its own; Node warns beyond 10.
    expect(Math.max(...counts)).toBeLessThanOrEqual(6);
    client.destroy();
  });

  it('ends at the client when the agent ends it, after all that was written', async () => {
    const { url } = await openBridge((bytes) => bytes.end(Buffer.alloc(500_000, 'x')));
    const client = await openWebSocket(url, { headers: {} });
    expect((await buffer(client)).length).toBe(500_000);
  });

  it('ends at the agent when the client leaves', async () => {
    let isOver = false;
    const { url } = await openBridge((bytes) => {
      bytes.on('error', () => undefined);
      bytes.on('close', () => (isOver = true));
      bytes.resume();
    });
    const client = await openWebSocket(url, { headers: {} });
    client.end('bye');
    await until(() => isOver, 'the agent sees the end');
  });

  it('that is refused rejects with the problem that was answered', async () => {
    const url = await refusing((_request, response) => {
      response.writeHead(403, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'forbidden', detail: 'not this port' }));
    });
    await expect(openWebSocket(url, { headers: {} })).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('not this port'),
    });
  });

  it('that is refused without a problem, or not answered, says what it knows', async () => {
    const { url } = await openBridge(() => undefined);
    await expect(openWebSocket(`${url}/closed`, { headers: {} })).rejects.toMatchObject({
      code: 'node-unreachable',
      message: expect.stringContaining('answered with 404'),
    });
    const front = createServer();
    const gone = await listen(front);
    const closed = once(front, 'close');
    front.close();
    await closed;
    await expect(openWebSocket(gone, { headers: {} })).rejects.toMatchObject({ code: 'node-unreachable' });
  });

  it('that is no handshake is refused, and leaves nothing open', async () => {
    const { tunnel } = await openBridge(() => {
      throw new Error('this is no WebSocket');
    });
    const connection = await tunnel.connect({ path: '/', headers: { 'sec-websocket-protocol': '\u00e4,' } });
    if (connection.kind === 'open') throw new Error('it was accepted');
    expect(connection.answer.status).toBe(400);
    await text(connection.answer.body);
    await until(() => tunnel.openStreams === 0, 'nothing stays open');
  });
});
