/**
 * The agent's end of one connection: dial, upgrade, serve HTTP/2 on it until it ends. It does not reconnect; the
 * dialler does.
 */
import type { IncomingMessage } from 'node:http';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import { messageOf } from '@gantry/kernel';
import { type ClientOptions, WebSocket } from 'ws';
import type { DialEnd } from './dialler-state.js';
import { Heartbeat } from './heartbeat.js';
import type { TunnelLimits } from './limits.js';
import { tunnelProtocol } from './tunnel-protocol.js';
import type { TunnelEnd } from './types.js';
import { WebSocketStream } from './web-socket-stream.js';

export interface DialTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: DialTls;
}

/** The bridge's certificate is verified, always; `ca` adds a private authority (PEM). */
export interface DialTls {
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
}

export interface AgentConnection {
  /** The bridge's settings have come: requests may arrive. */
  readonly opened: Promise<void>;
  readonly ended: Promise<DialEnd>;
  /** The bridge asked for no more requests on it; open ones end on it. Never settles otherwise. */
  readonly draining: Promise<DialEnd>;
  readonly latencyMs: number | undefined;
  /** Refuses new requests, lets open ones end; the connection ends with the last. */
  drain(): void;
  close(): void;
}

const maxRefusalBytes = 8 * 1024;

/** Dials once. Both promises settle within the handshake's time or the connection's life; `ended` never rejects. */
export function openAgentConnection(
  target: DialTarget,
  server: Http2Server,
  limits: TunnelLimits,
): AgentConnection {
  return new DialledConnection(target, server, limits);
}

class DialledConnection implements AgentConnection {
  readonly opened: Promise<void>;
  readonly ended: Promise<DialEnd>;
  readonly draining: Promise<DialEnd>;
  readonly #limits: TunnelLimits;
  readonly #socket: WebSocket;
  #session: ServerHttp2Session | undefined;
  #stream: WebSocketStream | undefined;
  #heartbeat: Heartbeat | undefined;
  #openedAtMs = performance.now();
  #handshakeTimer: NodeJS.Timeout | undefined;
  #resolveEnd: (end: DialEnd) => void = () => undefined;
  #resolveOpened: () => void = () => undefined;
  #resolveDraining: (end: DialEnd) => void = () => undefined;
  #wish: TunnelEnd | undefined;

  constructor(target: DialTarget, server: Http2Server, limits: TunnelLimits) {
    this.#limits = limits;
    this.ended = new Promise((resolve) => {
      this.#resolveEnd = resolve;
    });
    this.opened = new Promise((resolve) => {
      this.#resolveOpened = resolve;
    });
    this.draining = new Promise((resolve) => {
      this.#resolveDraining = resolve;
    });
    this.#socket = new WebSocket(target.url, [tunnelProtocol], socketOptions(target, limits));
    this.#socket.on('error', (error) => this.#onDialError(error));
    this.#socket.on('unexpected-response', (_request, response) => this.#onRefusal(response));
    this.#socket.once('open', () => this.#serve(server));
  }

  get latencyMs(): number | undefined {
    return this.#heartbeat?.latencyMs;
  }

  drain(): void {
    this.#wish ??= { kind: 'drained', reason: 'the agent is stopping' };
    if (this.#session === undefined) this.#socket.terminate();
    else this.#session.close();
  }

  close(): void {
    this.#wish ??= { kind: 'closed', reason: 'closed by the agent' };
    this.#session?.destroy();
    if (this.#stream === undefined) this.#socket.terminate();
    else this.#stream.destroy();
    this.#finish('closed by the agent');
  }

  #serve(server: Http2Server): void {
    this.#openedAtMs = performance.now();
    const stream = new WebSocketStream(this.#socket);
    this.#stream = stream;
    stream.on('error', (error) => this.#finish(error.message));
    stream.on('close', () => this.#finish(stream.closeReason || 'the connection was closed'));
    // The server answers with the session in the same tick.
    server.once('session', (session: ServerHttp2Session) => this.#onSession(session, stream));
    server.emit('connection', stream);
  }

  #onSession(session: ServerHttp2Session, stream: WebSocketStream): void {
    const { connectionWindowBytes, handshakeTimeoutMs, heartbeatIntervalMs, heartbeatTimeoutMs } =
      this.#limits;
    this.#session = session;
    session.setLocalWindowSize(connectionWindowBytes);
    session.on('error', (error) => this.#finish(messageOf(error)));
    session.on('close', () => this.#finish('the session was closed'));
    session.on('goaway', (code: number) => {
      if (code !== 0) return;
      this.#wish ??= { kind: 'drained', reason: 'the bridge is stopping' };
      this.#resolveDraining(this.#endNow('drained'));
    });
    session.once('remoteSettings', () => {
      clearTimeout(this.#handshakeTimer);
      this.#resolveOpened();
    });
    this.#handshakeTimer = setTimeout(() => {
      this.#finish(`the bridge did not finish the handshake within ${handshakeTimeoutMs} ms`);
    }, handshakeTimeoutMs);
    this.#heartbeat = new Heartbeat({
      session,
      intervalMs: heartbeatIntervalMs,
      timeoutMs: heartbeatTimeoutMs,
      receivedBytes: () => stream.receivedBytes,
      onLost: (reason) => this.#finish(reason),
    });
  }

  #onDialError(error: Error): void {
    // One for every address that was tried, `localhost` for example, has a code and no words.
    const reason = error.message || ((error as NodeJS.ErrnoException).code ?? 'it cannot be reached');
    if (this.#stream === undefined) this.#settle({ kind: 'unreachable', reason });
  }

  #onRefusal(response: IncomingMessage): void {
    let text = '';
    response.on('data', (chunk: Buffer) => {
      if (text.length < maxRefusalBytes) text += chunk.toString('latin1');
      else response.destroy();
    });
    response.on('error', () => undefined);
    response.once('close', () => {
      this.#settle({
        kind: 'refused',
        status: response.statusCode ?? 0,
        detail: detailOf(text) ?? response.statusMessage ?? '',
        retryAfterMs: retryAfterMsOf(response),
      });
      this.#socket.terminate();
    });
    // A refusal whose body never ends is one all the same.
    const timer = setTimeout(() => response.destroy(), this.#limits.handshakeTimeoutMs);
    response.once('close', () => clearTimeout(timer));
  }

  #finish(reason: string): void {
    this.#settle(this.#endNow(reason));
  }

  #endNow(reason: string): DialEnd {
    const end = this.#wish ?? { kind: 'lost', reason };
    return { kind: 'ended', end, uptimeMs: performance.now() - this.#openedAtMs };
  }

  /** Only the first end counts; everything is let go with it. */
  #settle(end: DialEnd): void {
    clearTimeout(this.#handshakeTimer);
    this.#heartbeat?.stop();
    this.#resolveEnd(end);
    if (this.#session?.destroyed === false) this.#session.destroy();
    this.#stream?.destroy();
  }
}

function socketOptions({ url, headers, tls }: DialTarget, limits: TunnelLimits): ClientOptions {
  const { ca, ...rest } = tls;
  return {
    ...rest,
    ...(ca === undefined ? {} : { ca: ca as string | Buffer | (string | Buffer)[] }),
    headers: { ...headers },
    handshakeTimeout: limits.handshakeTimeoutMs,
    maxPayload: limits.maxMessageBytes,
    perMessageDeflate: false,
    followRedirects: false,
    // Masks keep proxies from taking what they relay for plain HTTP (RFC 6455, 10.3). Nobody reads inside TLS and there
    // is no proxy on loopback; a mask of zeros costs neither a copy nor a loop in JavaScript over every byte.
    ...(isBetweenUs(url) ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
  };
}

const isBetweenUs = (url: string): boolean => {
  const { protocol, hostname } = new URL(url);
  return protocol === 'wss:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
};

function detailOf(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'detail' in body)
      return String(body.detail).slice(0, 500);
  } catch {
    // Not JSON: the status says enough.
  }
  return undefined;
}

function retryAfterMsOf(response: IncomingMessage): number | undefined {
  const seconds = Number(response.headers['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
