/**
 * The connections of one node as one. Small requests take the first connection, bulk the least loaded of the others:
 * bytes that wait in the socket's queue delay whatever is behind them, whatever HTTP/2 does above it.
 */
import { AppError } from '@gantry/kernel';
import { isUnseen } from './node-error.js';
import type { Tunnel, TunnelConnection } from './tunnel.js';
import type { TunnelAnswer, TunnelConnect, TunnelEnd, TunnelRequest } from './types.js';

/** What a request can be sent to: one tunnel, or a group. */
export interface TunnelTarget {
  readonly name: string;
  request(request: TunnelRequest): Promise<TunnelAnswer>;
  connect(request: TunnelConnect): Promise<TunnelConnection>;
}

export interface TunnelGroupOptions {
  /** One more is refused. Default: 8. */
  readonly maxTunnels?: number;
  /** Called when the last connection has ended, with its end. */
  readonly onEmpty?: (end: TunnelEnd) => void;
}

const defaultMaxTunnels = 8;

export class TunnelGroup implements TunnelTarget {
  readonly name: string;
  readonly #options: TunnelGroupOptions;
  readonly #tunnels = new Set<Tunnel>();

  constructor(name: string, options: TunnelGroupOptions = {}) {
    this.name = name;
    this.#options = options;
  }

  /** Takes a connection in until it ends. @throws node-busy when there are enough; the tunnel is the caller's then */
  add(tunnel: Tunnel): void {
    const { maxTunnels = defaultMaxTunnels } = this.#options;
    if (this.#tunnels.size >= maxTunnels)
      throw new AppError('node-busy', `${this.name} has ${maxTunnels} connections, as many as it may`);
    this.#tunnels.add(tunnel);
    void tunnel.closed.then((end) => {
      this.#tunnels.delete(tunnel);
      if (this.#tunnels.size === 0) this.#options.onEmpty?.(end);
    });
  }

  /** Oldest first. */
  get tunnels(): readonly Tunnel[] {
    return [...this.#tunnels];
  }

  /** Whether it takes requests. */
  get isOpen(): boolean {
    return this.tunnels.some(({ isOpen }) => isOpen);
  }

  /** Round trip of the last heartbeat of the connection of the small requests. */
  get latencyMs(): number | undefined {
    return this.tunnels.find(({ isOpen }) => isOpen)?.latencyMs;
  }

  get openStreams(): number {
    return this.tunnels.reduce((sum, { openStreams }) => sum + openStreams, 0);
  }

  /**
   * As {@link Tunnel.request}. What a connection refused unseen goes to another one, unless its body is a stream.
   * @throws node-unreachable, node-busy, and as {@link Tunnel.request}
   */
  async request(request: TunnelRequest): Promise<TunnelAnswer> {
    const isReplayable = request.body === undefined || !isStream(request.body);
    return await this.#attempt(request.bulk === true, isReplayable, (tunnel) => tunnel.request(request));
  }

  /** As {@link Tunnel.connect}. @throws as {@link request} */
  async connect(request: TunnelConnect): Promise<TunnelConnection> {
    return await this.#attempt(false, true, (tunnel) => tunnel.connect(request));
  }

  /** Measures the round trip of the connection of the small requests, in milliseconds. @throws node-unreachable */
  async ping(timeoutMs?: number): Promise<number> {
    return await this.#attempt(false, false, (tunnel) => tunnel.ping(timeoutMs));
  }

  /** As {@link Tunnel.drain}, for all. */
  async drain(options?: { graceMs?: number }): Promise<void> {
    await Promise.all(this.tunnels.map((tunnel) => tunnel.drain(options)));
  }

  /** As {@link Tunnel.close}, for all. */
  close(reason: string): void {
    for (const tunnel of this.tunnels) tunnel.close(reason);
  }

  async #attempt<T>(isBulk: boolean, mayRepeat: boolean, work: (tunnel: Tunnel) => Promise<T>): Promise<T> {
    const candidates = planOrder(this.tunnels, isBulk);
    let refusal: unknown;
    for (const tunnel of mayRepeat ? candidates : candidates.slice(0, 1))
      try {
        return await work(tunnel);
      } catch (error) {
        if (!isUnseen(error)) throw error;
        refusal = error;
      }
    throw refusal ?? new AppError('node-unreachable', `${this.name} is not connected`);
  }
}

type Load = Pick<Tunnel, 'isOpen' | 'hasRoom' | 'openStreams' | 'pendingBytes'>;

/**
 * The open connections, the best first. `tunnels` is oldest first: the first open one is for small requests and takes
 * bulk only when it is alone or the others are full.
 */
export function planOrder<T extends Load>(tunnels: readonly T[], isBulk: boolean): T[] {
  const [first, ...rest] = tunnels.filter(({ isOpen }) => isOpen);
  if (first === undefined) return [];
  const byLoad = rest.sort((a, b) => a.openStreams - b.openStreams || a.pendingBytes - b.pendingBytes);
  const order = isBulk ? [...byLoad, first] : [first, ...byLoad];
  // Stable: the full ones go last, in their order.
  return order.sort((a, b) => Number(b.hasRoom) - Number(a.hasRoom));
}

const isStream = (body: NonNullable<TunnelRequest['body']>): boolean =>
  typeof body !== 'string' && !(body instanceof Uint8Array);
