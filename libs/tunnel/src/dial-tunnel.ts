/**
 * The agent's side: keeps `connections` tunnels to the bridge open, for as long as it is not closed.
 *
 * I1. An attempt follows every end, whatever it was; refusals too (a token may be renewed, a name set free).
 * I2. Delays have full jitter, at most 10 s (a refusal may ask for a minute). After a drain by the bridge the next
 *     attempt comes at once and the open requests end on the old connection.
 * I3. A handler that throws, or rejects, fails its own request only.
 * I4. `close` lets open requests end within its time and leaves nothing behind.
 */
import {
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Stream,
} from 'node:http2';
import { delay, type Logger, messageOf, silentLogger, withDeadline } from '@gantry/kernel';
import {
  type AgentConnection,
  type DialTarget,
  type DialTls,
  openAgentConnection,
} from './agent-connection.js';
import { type DialEnd, type DialState, minUptimeForResetMs, planDelayMs } from './dialler-state.js';
import { resolveLimits, type TunnelLimits, toSessionOptions } from './limits.js';
import { resetOnDestroy } from './stream-events.js';

export type TunnelHandler = (
  request: Http2ServerRequest,
  response: Http2ServerResponse,
) => void | Promise<void>;

export interface DialOptions {
  /** `wss://bridge/tunnel`. */
  readonly url: string;
  /** Asked before every attempt, so that a renewed token is used; `slot` counts the connections from 0. */
  readonly headers?: (
    slot: number,
  ) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  readonly tls?: DialTls;
  readonly handler: TunnelHandler;
  /**
   * Takes extended CONNECT requests (`request.headers[':protocol']`): answer 200 with
   * `request.stream.respond({ ':status': 200 })` and use the stream as a Duplex, or answer any other status. Without it
   * the bridge is told that there are none.
   */
  readonly onConnect?: TunnelHandler;
  readonly onState?: (state: DialState, slot: number) => void;
  /** Parallel connections, 1 to 8. Bulk stays off the first. Default: 1. */
  readonly connections?: number;
  readonly limits?: Partial<TunnelLimits>;
  readonly logger?: Logger;
  readonly random?: () => number;
}

const maxConnections = 8;
const headersTimeoutMs = 10_000;

/** Starts dialling. It never gives up until it is closed. @throws RangeError for impossible options */
export function dialTunnel(options: DialOptions): Dialler {
  return new Dialler(options);
}

export class Dialler {
  readonly #options: DialOptions;
  readonly #limits: TunnelLimits;
  readonly #logger: Logger;
  readonly #server: Http2Server;
  readonly #stopping = new AbortController();
  readonly #slots: Slot[];
  readonly #loops: Promise<void>[];
  /** Also those that only finish what was open when the bridge drained. */
  readonly #connections = new Set<AgentConnection>();

  /** @internal use {@link dialTunnel} */
  constructor(options: DialOptions) {
    const { connections = 1 } = options;
    if (!Number.isInteger(connections) || connections < 1 || connections > maxConnections)
      throw new RangeError(`connections must be 1 to ${maxConnections}`);
    this.#options = options;
    this.#limits = resolveLimits(options.limits);
    this.#logger = options.logger ?? silentLogger;
    this.#server = serverOf(options, this.#limits, this.#logger);
    this.#slots = Array.from({ length: connections }, (_, index) => ({ index, state: { kind: 'closed' } }));
    this.#loops = this.#slots.map((slot) => this.#run(slot));
  }

  /** One for each connection. */
  get states(): readonly DialState[] {
    return this.#slots.map(({ state }) => state);
  }

  /** Whether at least one connection is up. */
  get isConnected(): boolean {
    return this.#slots.some(({ state }) => state.kind === 'connected');
  }

  /** Round trip of the last heartbeat, the best of the connections. */
  get latencyMs(): number | undefined {
    const known = [...this.#connections].flatMap(({ latencyMs }) => latencyMs ?? []);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** I4. Refuses new requests, lets the open ones end within `graceMs`, then closes what is left. */
  async close({ graceMs = 5_000 }: { graceMs?: number } = {}): Promise<void> {
    this.#stopping.abort();
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.close();
    }, graceMs);
    for (const connection of this.#connections) connection.drain();
    await Promise.all(this.#loops);
    await Promise.all([...this.#connections].map(({ ended }) => ended));
    clearTimeout(timer);
  }

  async #run(slot: Slot): Promise<void> {
    const { signal } = this.#stopping;
    let attempt = 0;
    // The first state is told when the caller has the dialler in hand.
    await Promise.resolve();
    while (!signal.aborted) {
      const end = await this.#connectOnce(slot, attempt);
      const isDrain = end.kind === 'ended' && end.end.kind === 'drained';
      if (end.kind === 'ended' && end.uptimeMs >= minUptimeForResetMs) attempt = 0;
      // I2
      const delayMs =
        isDrain && attempt === 0 ? 0 : planDelayMs(end, attempt, this.#options.random ?? Math.random);
      attempt += 1;
      if (signal.aborted) break;
      this.#enter(slot, { kind: 'waiting', delayMs, after: end });
      await delay(delayMs, signal).catch(() => undefined);
    }
    this.#enter(slot, { kind: 'closed' });
  }

  /** Ends when the connection takes no more requests: one that drains lives on beside the next. */
  async #connectOnce(slot: Slot, attempt: number): Promise<DialEnd> {
    this.#enter(slot, { kind: 'connecting', attempt });
    let connection: AgentConnection;
    try {
      connection = openAgentConnection(await this.#target(slot.index), this.#server, this.#limits);
    } catch (error) {
      return { kind: 'unreachable', reason: messageOf(error) };
    }
    this.#connections.add(connection);
    void connection.ended.then(() => this.#connections.delete(connection));
    if (this.#stopping.signal.aborted) connection.close();
    void connection.opened.then(() => {
      if (this.#connections.has(connection)) this.#enter(slot, { kind: 'connected' });
    });
    return await Promise.race([connection.ended, connection.draining]);
  }

  async #target(slot: number): Promise<DialTarget> {
    const asked = Promise.resolve(this.#options.headers?.(slot) ?? {});
    const { url, tls = {} } = this.#options;
    return { url, tls, headers: await withDeadline(asked, headersTimeoutMs, 'the headers of the tunnel') };
  }

  #enter(slot: Slot, state: DialState): void {
    slot.state = state;
    if (state.kind === 'waiting')
      this.#logger.warn('tunnel: not connected, dialling again', {
        slot: slot.index,
        delay_ms: state.delayMs,
        why: describeEnd(state.after),
      });
    else this.#logger.debug(`tunnel: ${state.kind}`, { slot: slot.index });
    this.#options.onState?.(state, slot.index);
  }
}

interface Slot {
  readonly index: number;
  state: DialState;
}

/** An end in words, for logs and `gantry agent status`. */
export function describeEnd(end: DialEnd): string {
  if (end.kind === 'ended') return `${end.end.kind}: ${end.end.reason}`;
  if (end.kind === 'refused') return `the bridge refused with ${end.status}: ${end.detail}`;
  return end.reason;
}

function serverOf(options: DialOptions, limits: TunnelLimits, logger: Logger): Http2Server {
  const session = toSessionOptions(limits);
  const server = createServer({
    ...session,
    settings: { ...session.settings, enableConnectProtocol: options.onConnect !== undefined },
  });
  // Before the request event, so that no handler can see a stream without it.
  server.prependListener('stream', (stream: ServerHttp2Stream) => {
    resetOnDestroy(stream);
    // The response and the request report it; without a listener it would end the process.
    stream.on('error', () => undefined);
    if (limits.streamIdleTimeoutMs > 0) stream.setTimeout(limits.streamIdleTimeoutMs, () => stream.destroy());
  });
  server.on('request', (request, response) => serve(options.handler, request, response, logger));
  if (options.onConnect !== undefined) {
    const { onConnect } = options;
    server.on('connect', (request: Http2ServerRequest, response: Http2ServerResponse) =>
      serve(onConnect, request, response, logger),
    );
  }
  server.on('sessionError', () => undefined);
  return server;
}

/** I3 */
function serve(
  handler: TunnelHandler,
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  logger: Logger,
): void {
  const fail = (error: unknown) => {
    logger.error('tunnel: a handler failed', { method: request.method, error: messageOf(error) });
    if (request.stream.destroyed) return;
    if (request.stream.headersSent) request.stream.destroy(new Error('the handler failed'));
    else {
      response.writeHead(500, { 'content-type': 'text/plain' });
      response.end('the handler failed');
    }
  };
  try {
    // Not `work.catch`: what the handler returns may be anything, whatever its type says.
    void Promise.resolve(handler(request, response)).catch(fail);
  } catch (error) {
    fail(error);
  }
}
