/** How connections end, and that nobody hangs when they do. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { startBridge } from './bridge.fixture.js';
import { startChild } from './child.fixture.js';
import { dialTunnel } from './dial-tunnel.js';
import type { DialState } from './dialler-state.js';
import { closeLater, closePairs, openPair, until } from './pair.fixture.js';
import { tunnelProtocol } from './tunnel-protocol.js';

afterEach(closePairs);

const problem = (code: string) => expect.objectContaining({ name: 'AppError', code });
const quick = { heartbeatIntervalMs: 50, heartbeatTimeoutMs: 200 };

describe('an agent that is killed', () => {
  it('fails what it was working on at once, before and in the middle of an answer', async () => {
    const bridge = await startBridge();
    closeLater(() => bridge.stop());
    const child = await startChild('./agent-process.fixture.js', [bridge.url]);
    const tunnel = await bridge.tunnel();
    const begun = await tunnel.request({ method: 'GET', path: '/begin' });
    const body = text(begun.body);
    const never = tunnel.request({ method: 'GET', path: '/never' });
    await tunnel.ping();
    child.kill('SIGKILL');
    // No time is given: the connection says so itself, long before any deadline.
    await expect(never).rejects.toEqual(problem('node-lost'));
    await expect(body).rejects.toEqual(problem('node-lost'));
    expect((await tunnel.closed).kind).toBe('lost');
    expect(tunnel.isOpen).toBe(false);
    await expect(tunnel.request({ method: 'GET', path: '/' })).rejects.toEqual(problem('node-unreachable'));
  });

  it('is found out when it only stops: no sign of life', async () => {
    const bridge = await startBridge({ limits: quick });
    closeLater(() => bridge.stop());
    const child = await startChild('./agent-process.fixture.js', [bridge.url]);
    const tunnel = await bridge.tunnel();
    const never = tunnel.request({ method: 'GET', path: '/never' });
    await tunnel.ping(10_000);
    child.kill('SIGSTOP');
    await expect(never).rejects.toEqual(problem('node-lost'));
    expect((await tunnel.closed).reason).toMatch(/no sign of life/);
  });
});

describe('a connection that only one side believes in', () => {
  it('is given up by both within the heartbeat, and dialled again', async () => {
    const bridge = await startBridge({ limits: quick });
    closeLater(() => bridge.stop());
    const hole = await startBlackHole(bridge.port);
    const states: DialState[] = [];
    const dialler = dialTunnel({
      url: `ws://127.0.0.1:${hole.port}/tunnel`,
      limits: quick,
      handler: () => undefined,
      onState: (state) => states.push(state),
    });
    closeLater(() => dialler.close({ graceMs: 0 }));
    const tunnel = await bridge.tunnel();
    await until(() => dialler.isConnected, 'the agent is connected');
    const request = tunnel.request({ method: 'GET', path: '/' });
    hole.swallow();
    await expect(request).rejects.toEqual(problem('node-lost'));
    await until(() => states.some(({ kind }) => kind === 'waiting'), 'the agent has noticed too');
    const second = await bridge.tunnel(1);
    expect(second.isOpen).toBe(true);
  });
});

describe('a bridge that restarts', () => {
  it('has its agents back by themselves', async () => {
    const first = await startBridge();
    const dialler = dialTunnel({
      url: first.url,
      connections: 2,
      handler: (_request, response) => void response.end('still here'),
    });
    closeLater(() => dialler.close({ graceMs: 0 }));
    await first.tunnel(1);
    await until(() => dialler.states.every(({ kind }) => kind === 'connected'), 'both are connected');
    await first.stop();
    await until(() => !dialler.isConnected, 'the agent has noticed');
    const second = await startBridge({ port: first.port });
    closeLater(() => second.stop());
    const tunnel = await second.tunnel(1);
    expect(await text((await tunnel.request({ method: 'GET', path: '/' })).body)).toBe('still here');
  });

  it('drains: open requests end, new ones are refused unseen, and the agent is back at once', async () => {
    let finish: () => void = () => undefined;
    const { bridge, tunnel, dialler } = await openPair({
      handler: (_request, response) => {
        response.write('begin ');
        finish = () => response.end('end');
      },
    });
    const running = await tunnel.request({ method: 'GET', path: '/' });
    const drained = tunnel.drain({ graceMs: 20_000 });
    await expect(tunnel.request({ method: 'GET', path: '/' })).rejects.toEqual(problem('node-unreachable'));
    // The next connection comes while the old one still works.
    const next = await bridge.tunnel(1);
    expect(next.isOpen).toBe(true);
    finish();
    expect(await text(running.body)).toBe('begin end');
    await drained;
    expect(await tunnel.closed).toEqual({ kind: 'drained', reason: 'the bridge is stopping' });
    await until(() => dialler.isConnected, 'the agent is connected');
  });

  it('does not wait longer than the grace for a request that does not end', async () => {
    const { tunnel } = await openPair({ handler: () => undefined });
    const request = tunnel.request({ method: 'GET', path: '/' });
    await tunnel.ping();
    await Promise.all([tunnel.drain({ graceMs: 50 }), expect(request).rejects.toEqual(problem('node-lost'))]);
  });
});

describe('an agent that stops', () => {
  it('lets open requests end and is gone then', async () => {
    let finish: () => void = () => undefined;
    const { tunnel, dialler } = await openPair({
      handler: (_request, response) => {
        response.write('begin ');
        finish = () => response.end('end');
      },
    });
    const running = await tunnel.request({ method: 'GET', path: '/' });
    const closed = dialler.close({ graceMs: 20_000 });
    await until(() => !tunnel.isOpen, 'the bridge knows');
    await expect(tunnel.request({ method: 'GET', path: '/' })).rejects.toEqual(problem('node-unreachable'));
    finish();
    expect(await text(running.body)).toBe('begin end');
    await closed;
    expect((await tunnel.closed).kind).toBe('drained');
    expect(dialler.states).toEqual([{ kind: 'closed' }]);
  });

  it('while it waits to dial stops at once', async () => {
    const dialler = dialTunnel({
      url: 'ws://127.0.0.1:1/tunnel',
      handler: () => undefined,
      random: () => 0.999,
    });
    await until(() => dialler.states[0]?.kind === 'waiting', 'it waits');
    await dialler.close();
    expect(dialler.states).toEqual([{ kind: 'closed' }]);
  });
});

describe('a bridge that closes a tunnel', () => {
  it('fails what is open and tells the agent why', async () => {
    const states: DialState[] = [];
    const { tunnel } = await openPair({ handler: () => undefined, onState: (state) => states.push(state) });
    const request = tunnel.request({ method: 'GET', path: '/' });
    tunnel.close('the node was revoked');
    await expect(request).rejects.toEqual(problem('node-lost'));
    expect(await tunnel.closed).toEqual({ kind: 'closed', reason: 'the node was revoked' });
    await until(() => states.some(({ kind }) => kind === 'waiting'), 'the agent knows');
    expect(states.find(({ kind }) => kind === 'waiting')).toMatchObject({
      after: { kind: 'ended', end: { kind: 'lost', reason: 'the node was revoked' } },
    });
  });

  it('refuses the upgrade with a reason that the agent shows, and the agent asks again', async () => {
    let asked = 0;
    const server = createHttpServer();
    server.on('upgrade', (_request, socket) => {
      asked += 1;
      // The agent may be gone before it has read all.
      socket.on('error', () => undefined);
      const body = JSON.stringify({ code: 'invalid-token', detail: 'The token was revoked' });
      socket.end(
        `HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closeLater(async () => void server.close());
    const states: DialState[] = [];
    const dialler = dialTunnel({
      url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/tunnel`,
      handler: () => undefined,
      onState: (state) => states.push(state),
      random: () => 0,
    });
    closeLater(() => dialler.close());
    await until(() => asked >= 2, 'it has asked twice');
    expect(states.find(({ kind }) => kind === 'waiting')).toMatchObject({
      after: { kind: 'refused', status: 401, detail: 'The token was revoked' },
    });
  });
});

describe('a peer that does not keep to the protocol', () => {
  it.each([
    ['says nothing (slow loris)', () => undefined],
    ['sends text', (socket: WebSocket) => socket.send('hello')],
    ['sends bytes that are no HTTP/2', (socket: WebSocket) => socket.send(Buffer.alloc(1000, 'x'))],
    ['sends a message above the limit', (socket: WebSocket) => socket.send(Buffer.alloc(300 * 1024))],
  ])('in the handshake and %s is dropped in time', async (_title, misbehave) => {
    const bridge = await startBridge({ limits: { handshakeTimeoutMs: 300 } });
    closeLater(() => bridge.stop());
    const socket = new WebSocket(bridge.url, [tunnelProtocol]);
    socket.on('error', () => undefined);
    await once(socket, 'open');
    misbehave(socket);
    await once(socket, 'close');
    expect(bridge.tunnels).toHaveLength(0);
  });

  it('and answers requests that were never asked, or asked long ago, harms itself only', async () => {
    const bridge = await startBridge();
    closeLater(() => bridge.stop());
    const honest = dialTunnel({
      url: bridge.url,
      handler: (_request, response) => void response.end('honest'),
    });
    closeLater(() => honest.close({ graceMs: 0 }));
    const good = await bridge.tunnel(0);
    const rogue = new WebSocket(bridge.url, [tunnelProtocol]);
    rogue.on('error', () => undefined);
    await once(rogue, 'open');
    rogue.send(frame(settingsFrame, 0, 0, Buffer.alloc(0)));
    const bad = await bridge.tunnel(1);
    const waiting = bad.request({ method: 'GET', path: '/' });
    // `:status: 200` by its static index, on streams that are not open: of others they cannot even be guessed.
    for (const stream of [3, 5, 7])
      rogue.send(frame(headersFrame, endHeaders | endStream, stream, Buffer.from([0x88])));
    await expect(waiting).rejects.toEqual(problem('node-lost'));
    expect((await bad.closed).kind).toBe('lost');
    const answer = await good.request({ method: 'GET', path: '/' });
    expect(await text(answer.body)).toBe('honest');
  });

  it.each([
    ['a status of 099', Buffer.from([0x48, 3, ...Buffer.from('099')])],
    ['a status of 999', Buffer.from([0x48, 3, ...Buffer.from('999')])],
    ['no status', Buffer.from([0x40, 1, 0x78, 1, 0x79])],
    ['a field for one connection only', Buffer.from([0x88, 0x40, 10, ...Buffer.from('connection'), 1, 0x78])],
  ])('and answers with %s fails its own request only', async (_title, fields) => {
    const bridge = await startBridge();
    closeLater(() => bridge.stop());
    const rogue = new WebSocket(bridge.url, [tunnelProtocol]);
    rogue.on('error', () => undefined);
    let received = Buffer.alloc(0);
    rogue.on('message', (data) => {
      received = Buffer.concat([received, data as Buffer]);
    });
    await once(rogue, 'open');
    rogue.send(frame(settingsFrame, 0, 0, Buffer.alloc(0)));
    const tunnel = await bridge.tunnel();
    const request = tunnel.request({ method: 'GET', path: '/' });
    const other = tunnel.request({ method: 'GET', path: '/' });
    await until(() => openedStreams(received).length === 2, 'the node has both');
    rogue.send(frame(headersFrame, endHeaders | endStream, 1, fields));
    await expect(request).rejects.toEqual(problem('node-failed'));
    rogue.send(frame(headersFrame, endHeaders | endStream, 3, Buffer.from([0x88])));
    expect((await other).status).toBe(200);
  });

  it('and answers what was cancelled is ignored', async () => {
    const answers: (() => void)[] = [];
    const { tunnel } = await openPair({
      handler: (_request, response) => void answers.push(() => response.end('late')),
    });
    const late = tunnel.request({ method: 'GET', path: '/', timeoutMs: 50 });
    await expect(late).rejects.toEqual(problem('node-timeout'));
    const next = tunnel.request({ method: 'GET', path: '/' });
    await until(() => answers.length === 2, 'the node has both');
    for (const answer of answers) answer();
    expect(await text((await next).body)).toBe('late');
    expect(tunnel.openStreams).toBe(0);
  });
});

const headersFrame = 1;
const settingsFrame = 4;
const endStream = 1;
const endHeaders = 4;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The streams of the requests in what a bridge sent, behind the 24 bytes of its preface. */
function openedStreams(sent: Buffer): number[] {
  const streams: number[] = [];
  for (let at = 24; at + 9 <= sent.length; at += 9 + sent.readUIntBE(at, 3))
    if (sent[at + 3] === headersFrame) streams.push(sent.readUInt32BE(at + 5));
  return streams;
}

/** A relay that can stop relaying without closing anything, as a firewall that forgot a connection does. */
async function startBlackHole(targetPort: number): Promise<{ port: number; swallow(): void }> {
  const sockets: Socket[] = [];
  let swallowed: Socket[] = [];
  const server = createServer((socket) => {
    const target = connect(targetPort, '127.0.0.1');
    for (const [from, to] of [
      [socket, target],
      [target, socket],
    ] as const) {
      sockets.push(from);
      from.on('error', () => undefined);
      from.on('data', (chunk: Buffer) => {
        if (!swallowed.includes(from)) to.write(chunk);
      });
      from.on('close', () => {
        if (!swallowed.includes(from)) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeLater(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    swallow: () => {
      swallowed = [...sockets];
    },
  };
}
