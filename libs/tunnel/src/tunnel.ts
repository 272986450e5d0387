/**
 * The bridge's end of one connection that an agent dialled: an HTTP/2 client over its WebSocket.
 *
 * I1. Every request is a stream of its own, so an answer can only go to who asked: nothing is matched by an id that a
 *     caller or a node could choose.
 * I2. When the connection ends, for whatever reason, every open request ends at once.
 * I3. `node-unreachable` and `node-busy` mean that the node has not seen the request; `node-lost` that it may have.
 * I4. A stuck reader holds its own window and nothing else.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { AppError, DeadlineWheel, messageOf, withDeadline } from '@gantry/kernel';
import type { WebSocket } from 'ws';
import { Heartbeat } from './heartbeat.js';
import { resolveLimits, type TunnelLimits, toSessionOptions } from './limits.js';
import { checkPath } from './path-rules.js';
import { awaitHead, type Line, openStream, sendRequest } from './send-request.js';
import { resetOnDestroy } from './stream-events.js';
import type { AnswerHeaders, TunnelAnswer, TunnelConnect, TunnelEnd, TunnelRequest } from './types.js';
import { WebSocketStream } from './web-socket-stream.js';

export interface AcceptOptions {
  /** The node, in errors. */
  readonly name: string;
  readonly limits?: Partial<TunnelLimits>;
}

/** A byte stream to the node, or the answer that the node gave instead. */
export type TunnelConnection =
  | { readonly kind: 'open'; readonly headers: AnswerHeaders; readonly stream: Duplex }
  | { readonly kind: 'refused'; readonly answer: TunnelAnswer };

type Phase =
  | { readonly kind: 'open' }
  | { readonly kind: 'draining'; readonly end: TunnelEnd }
  | { readonly kind: 'ended'; readonly end: TunnelEnd };

const defaultConnectTimeoutMs = 30_000;
const defaultGraceMs = 10_000;

/**
 * Takes a WebSocket that was just opened (call it in the same tick) and waits for the agent's HTTP/2 settings.
 * @throws node-unreachable when they do not come within `handshakeTimeoutMs`; the WebSocket is closed then
 */
export async function acceptTunnel(socket: WebSocket, options: AcceptOptions): Promise<Tunnel> {
  const limits = resolveLimits(options.limits);
  const stream = new WebSocketStream(socket);
  const tunnel = new Tunnel(options.name, stream, limits);
  try {
    await withDeadline(tunnel.ready, limits.handshakeTimeoutMs, `the handshake of ${options.name}`);
  } catch (error) {
    tunnel.close('no handshake');
    throw new AppError(
      'node-unreachable',
      `${options.name} did not finish the handshake: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  return tunnel;
}

export class Tunnel {
  readonly name: string;
  readonly limits: TunnelLimits;
  /** Settles when the connection has ended; never rejects. */
  readonly closed: Promise<TunnelEnd>;
  /** @internal the agent's settings have come */
  readonly ready: Promise<void>;
  readonly #stream: WebSocketStream;
  readonly #session: ClientHttp2Session;
  readonly #heartbeat: Heartbeat;
  readonly #line: Line;
  #phase: Phase = { kind: 'open' };
  #openStreams = 0;

  /** @internal use {@link acceptTunnel} */
  constructor(name: string, stream: WebSocketStream, limits: TunnelLimits) {
    this.name = name;
    this.limits = limits;
    this.#stream = stream;
    // Before http2 listens: the first to hear of an end gives the reason.
    stream.on('error', (error) => this.#lose(error.message));
    stream.on('close', () => this.#lose('the connection was closed'));
    const session = connect('http://node', { ...toSessionOptions(limits), createConnection: () => stream });
    this.#session = session;
    this.#line = {
      name,
      session,
      limits,
      wheel: new DeadlineWheel(),
      track: (opened) => this.#track(opened),
    };
    session.once('connect', () => session.setLocalWindowSize(limits.connectionWindowBytes));
    session.on('error', (error) => this.#lose(messageOf(error)));
    session.on('goaway', (code: number) => {
      if (code === 0 && this.#phase.kind === 'open')
        this.#phase = { kind: 'draining', end: { kind: 'drained', reason: 'the agent is stopping' } };
    });
    this.closed = new Promise((resolve) => session.once('close', () => resolve(this.#onClose())));
    this.ready = new Promise((resolve, reject) => {
      session.once('remoteSettings', () => resolve());
      session.once('close', () => reject(new Error('the connection was closed')));
    });
    // Nobody waits for it when the connection ends later.
    this.ready.catch(() => undefined);
    this.#heartbeat = new Heartbeat({
      session,
      intervalMs: limits.heartbeatIntervalMs,
      timeoutMs: limits.heartbeatTimeoutMs,
      receivedBytes: () => stream.receivedBytes,
      onLost: (reason) => this.#lose(reason),
    });
  }

  /** Whether it takes requests. */
  get isOpen(): boolean {
    return this.#phase.kind === 'open' && !this.#session.closed;
  }

  /** Whether it takes one more request now. */
  get hasRoom(): boolean {
    return this.isOpen && this.#openStreams < this.#maxStreams();
  }

  /** Round trip of the last heartbeat; undefined before the first. */
  get latencyMs(): number | undefined {
    return this.#heartbeat.latencyMs;
  }

  /** Requests and byte streams that are open. */
  get openStreams(): number {
    return this.#openStreams;
  }

  /** Bytes that wait for the socket. */
  get pendingBytes(): number {
    return this.#stream.pendingBytes;
  }

  /** Bytes that ever came in, frames included. */
  get receivedBytes(): number {
    return this.#stream.receivedBytes;
  }

  /**
   * Sends a request to the node and resolves with the head of its answer; the body streams.
   * @throws AppError node-unreachable, node-busy (not sent); node-lost, node-timeout, node-failed (may have been
   * seen); header-too-large, malformed-request (cannot be sent); the reason of `signal` when that is aborted
   */
  async request(request: TunnelRequest): Promise<TunnelAnswer> {
    this.#admit(request.signal);
    return await sendRequest(this.#line, request);
  }

  /**
   * Opens a byte stream through the node by extended CONNECT (RFC 8441). What a WebSocket's two ends exchange after
   * their handshake passes unchanged.
   * @throws AppError as {@link request}; node-failed when the agent does not offer extended CONNECT
   */
  async connect(request: TunnelConnect): Promise<TunnelConnection> {
    this.#admit(request.signal);
    if (this.#session.remoteSettings.enableConnectProtocol !== true)
      throw new AppError('node-failed', `The agent of ${this.name} does not pass WebSockets`);
    const pseudo = {
      ':method': 'CONNECT',
      ':protocol': request.protocol ?? 'websocket',
      ':path': checkPath(request.path),
      ':authority': request.authority ?? 'node',
      ':scheme': 'http',
    };
    const stream = openStream(this.#line, pseudo, request.headers, {
      endStream: false,
      waitForTrailers: false,
    });
    const head = await awaitHead(this.#line, stream, {
      ...request,
      method: 'CONNECT',
      timeoutMs: request.timeoutMs ?? defaultConnectTimeoutMs,
      isTakeover: (status) => status === 200,
    });
    if (head.status === 200) return { kind: 'open', headers: head.headers, stream: resetOnDestroy(stream) };
    stream.end();
    return { kind: 'refused', answer: { status: head.status, headers: head.headers, ...head.answer } };
  }

  /**
   * Measures the round trip now, in milliseconds.
   * @throws node-unreachable, node-timeout
   */
  async ping(timeoutMs = this.limits.heartbeatTimeoutMs): Promise<number> {
    this.#admit(undefined);
    const answered = new Promise<number>((resolve, reject) => {
      const isSent = this.#session.ping((error, durationMs) => {
        if (error === null) resolve(durationMs);
        else reject(new AppError('node-unreachable', `${this.name} disconnected`, { cause: error }));
      });
      if (!isSent) reject(new AppError('node-busy', `${this.name} has pings to answer already`));
    });
    try {
      return await withDeadline(answered, timeoutMs, 'the ping');
    } catch (error) {
      throw error instanceof AppError
        ? error
        : new AppError('node-timeout', `${this.name} did not answer a ping within ${timeoutMs} ms`);
    }
  }

  /**
   * Takes no more requests, lets the open ones end within `graceMs`, then closes. The agent is told and dials again at
   * once, wherever its address leads then.
   */
  async drain({ graceMs = defaultGraceMs }: { graceMs?: number } = {}): Promise<void> {
    if (this.#phase.kind === 'open')
      this.#phase = { kind: 'draining', end: { kind: 'drained', reason: 'the bridge is stopping' } };
    if (!this.#session.closed) this.#session.close();
    const timer = setTimeout(
      () => this.#end({ kind: 'drained', reason: 'the time to drain is over' }),
      graceMs,
    );
    await this.closed;
    clearTimeout(timer);
  }

  /** Ends the connection and every open request now. The agent learns the reason (≤ 100 characters are sent). */
  close(reason: string): void {
    this.#stream.closeReason = reason;
    this.#end({ kind: 'closed', reason });
  }

  #admit(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#phase.kind !== 'open')
      throw new AppError('node-unreachable', `${this.name} is disconnected: ${this.#phase.end.reason}`);
    if (this.#session.closed || this.#session.destroyed)
      throw new AppError('node-unreachable', `${this.name} is disconnected`);
    // More would wait inside http2, without a bound or a deadline.
    if (this.#openStreams >= this.#maxStreams())
      throw new AppError(
        'node-busy',
        `${this.name} has ${this.#openStreams} requests open, as many as it may`,
      );
  }

  #track(stream: ClientHttp2Stream): void {
    this.#openStreams += 1;
    stream.once('close', () => {
      this.#openStreams -= 1;
    });
  }

  #maxStreams(): number {
    const { maxConcurrentStreams } = this.limits;
    return Math.min(
      maxConcurrentStreams,
      this.#session.remoteSettings.maxConcurrentStreams ?? maxConcurrentStreams,
    );
  }

  #lose(reason: string): void {
    this.#end({ kind: 'lost', reason });
  }

  /** I2 */
  #end(end: TunnelEnd): void {
    if (this.#phase.kind === 'ended') return;
    // A drain that came to its end is one, however the socket was closed.
    const wasDrained = this.#phase.kind === 'draining' && this.#openStreams === 0;
    this.#phase = {
      kind: 'ended',
      end: wasDrained && this.#phase.kind === 'draining' ? this.#phase.end : end,
    };
    this.#heartbeat?.stop();
    const detail = `The connection to ${this.name} ended while it worked on the request: ${end.reason}`;
    this.#session?.destroy(this.#openStreams > 0 ? new AppError('node-lost', detail) : undefined);
    this.#stream.destroy();
    this.#line?.wheel.clear();
  }

  #onClose(): TunnelEnd {
    this.#lose('the connection was closed');
    return this.#phase.kind === 'open' ? { kind: 'lost', reason: 'unknown' } : this.#phase.end;
  }
}
