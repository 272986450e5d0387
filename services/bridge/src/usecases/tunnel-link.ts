import type { Tunnel, TunnelAnswer, TunnelConnect, TunnelConnection, TunnelRequest } from '@gantry/tunnel';
import { TunnelGroup } from '@gantry/tunnel';
import type { NodeLink } from '../ports.js';

/** The tunnels of one agent process as one link; each of its slots is one connection. */
export class TunnelLink implements NodeLink {
  readonly kind = 'gantry' as const;
  readonly name: string;
  readonly #group: TunnelGroup;
  readonly #slots = new Map<number, Tunnel>();

  constructor(name: string, onEmpty: (reason: string) => void) {
    this.name = name;
    this.#group = new TunnelGroup(name, { onEmpty: ({ reason }) => onEmpty(reason) });
  }

  /** An agent that dials a slot again has lost what was there, also when we have not noticed. @throws node-busy */
  add(slot: number, tunnel: Tunnel): void {
    this.#group.add(tunnel);
    this.#slots.get(slot)?.close('the agent has dialled again');
    this.#slots.set(slot, tunnel);
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
