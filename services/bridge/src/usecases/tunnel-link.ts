import type { Tunnel, TunnelAnswer, TunnelConnect, TunnelConnection, TunnelRequest } from '@gantry/tunnel';
import { TunnelGroup } from '@gantry/tunnel';
import type { NodeLink } from '../ports.js';

/** Two for each slot: one that is replaced ends a moment after the one that replaces it is here. */
const maxTunnels = 16;

export interface LinkEvents {
  /** The last connection has ended. */
  readonly empty: (reason: string) => void;
  /** One has ended that was not dialled again, and others are open. */
  readonly thinned: () => void;
}

/** The tunnels of one agent process as one link; each of its slots is one connection. */
export class TunnelLink implements NodeLink {
  readonly kind = 'gantry' as const;
  readonly name: string;
  readonly #group: TunnelGroup;
  readonly #slots = new Map<number, Tunnel>();
  readonly #on: LinkEvents;

  constructor(name: string, on: LinkEvents) {
    this.name = name;
    this.#on = on;
    this.#group = new TunnelGroup(name, { maxTunnels, onEmpty: ({ reason }) => on.empty(reason) });
  }

  /** An agent that dials a slot again has lost what was there, also when we have not noticed. @throws node-busy */
  add(slot: number, tunnel: Tunnel): void {
    this.#group.add(tunnel);
    this.#slots.get(slot)?.close('the agent has dialled again');
    this.#slots.set(slot, tunnel);
    void tunnel.closed.then(() => {
      if (this.#slots.get(slot) === tunnel && this.isOpen) this.#on.thinned();
    });
  }

  get isOpen(): boolean {
    return this.#group.isOpen;
  }
  get connections(): number {
    return this.#group.tunnels.length;
  }
  get latencyMs(): number | undefined {
    return this.#group.latencyMs;
  }
  request(request: TunnelRequest): Promise<TunnelAnswer> {
    return this.#group.request(request);
  }
  connect(request: TunnelConnect): Promise<TunnelConnection> {
    return this.#group.connect(request);
  }
  close(reason: string): void {
    this.#group.close(reason);
  }
  drain(options: { readonly graceMs: number }): Promise<void> {
    return this.#group.drain(options);
  }
}
