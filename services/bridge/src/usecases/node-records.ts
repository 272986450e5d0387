/**
 * What the store says of nodes, read at most every two seconds for each: every call to a node asks for it.
 *
 * I1. A change made through this bridge is in force for the next call; another bridge's within `freshMs`.
 * I2. Bounded; a node that is not there is not remembered.
 */
import { AppError, type Clock } from '@gantry/kernel';
import type { EdgeNode, NodeStore } from '@gantry/store';

const freshMs = 2000;
const maxKept = 10_000;

export class NodeRecords {
  readonly #nodes: Pick<NodeStore, 'find'>;
  readonly #clock: Clock;
  readonly #kept = new Map<string, { readonly record: EdgeNode; readonly readMs: number }>();

  constructor(nodes: Pick<NodeStore, 'find'>, clock: Clock) {
    this.#nodes = nodes;
    this.#clock = clock;
  }

  /** @throws {AppError} node-not-found, store-unavailable */
  async find(name: string): Promise<EdgeNode> {
    const kept = this.#kept.get(name);
    if (kept !== undefined && this.#clock.monotonicMs() - kept.readMs < freshMs) return kept.record;
    return await this.refresh(name);
  }

  /** As {@link find}, from the store in any case. */
  async refresh(name: string): Promise<EdgeNode> {
    const readMs = this.#clock.monotonicMs();
    const record = await this.#nodes.find(name);
    // Deleted first: the oldest read stands first.
    this.#kept.delete(name);
    if (record === undefined) throw new AppError('node-not-found', `There is no node "${name}" for you`);
    this.#kept.set(name, { record, readMs });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= maxKept) break;
      this.#kept.delete(oldest);
    }
    return record;
  }

  /** The last that was read, however long ago; undefined when nothing was. */
  peek(name: string): EdgeNode | undefined {
    return this.#kept.get(name)?.record;
  }

  /** I1 */
  forget(name: string): void {
    this.#kept.delete(name);
  }
}
