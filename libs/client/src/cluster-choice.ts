import type { EdgeClient } from './edge-client.js';
import type { GantryClient } from './gantry-client.js';
import type { RequestOptions } from './transport.js';

/**
 * The edge clusters that meet a requirement, in the platform's order, and the one in use: the first, until it
 * cannot be reached.
 *
 * I1. The current cluster changes only away from one that failed; a late failure of another changes nothing.
 */
export class ClusterChoice {
  readonly #client: GantryClient;
  #edges: readonly EdgeClient[] = [];
  #index = 0;

  constructor(client: GantryClient) {
    this.#client = client;
  }

  /** Undefined before the first {@link choose}. */
  get current(): EdgeClient | undefined {
    return this.#edges[this.#index];
  }

  get size(): number {
    return this.#edges.length;
  }

  /** Asks the platform again and starts with its first answer. @throws {GantryError} cluster-not-found */
  async choose(requirementId: number, options: RequestOptions): Promise<void> {
    const offers = await this.#client.chooseClusters(requirementId, options);
    this.#edges = offers.map(({ TEMPLATE }) => this.#client.edge(TEMPLATE.EDGE_CLUSTER_FRONTEND));
    this.#index = 0;
  }

  /** Moves on from `failed`; whether there was a cluster that has not been tried since the last choice. */
  moveOn(failed: EdgeClient): boolean {
    // I1
    if (this.current?.url !== failed.url) return true;
    if (this.#index + 1 >= this.#edges.length) return false;
    this.#index += 1;
    return true;
  }

  /** Starts again with the first of the known clusters. */
  restart(): void {
    this.#index = 0;
  }
}
