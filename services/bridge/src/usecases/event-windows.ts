/**
 * The last events of every node, to be read again by who was away for a moment.
 *
 * I1. A node's events push out its own only: `maxPerNode` and `maxBytesPerNode`. When all of them together are more than
 *     `maxBytes`, the node that has most gives half of its own.
 * I2. What is no longer here is known: by node, how many went and which was the last of them. Of nodes beyond
 *     `maxNodes` it is known for all of them together.
 */
import type { NodeEvent } from '@gantry/contracts';

export interface HubEvent {
  /** Grows; unique among the lives of the hub. */
  readonly id: string;
  readonly value: Exclude<NodeEvent, { kind: 'gap' }>;
}

export interface KeptEvent {
  readonly event: HubEvent;
  /** Its place among all events of the bridge. */
  readonly place: number;
  readonly bytes: number;
}

interface NodeWindow {
  kept: KeptEvent[];
  bytes: number;
  /** Place of the last event that went; 0: none did. */
  lostThrough: number;
  lost: number;
}

export interface WindowBounds {
  readonly maxPerNode: number;
  readonly maxBytesPerNode: number;
  readonly maxBytes: number;
  readonly maxNodes: number;
}

const defaultBounds: WindowBounds = {
  maxPerNode: 1000,
  maxBytesPerNode: 2 * 1024 * 1024,
  maxBytes: 32 * 1024 * 1024,
  maxNodes: 10_000,
};

export interface Missed {
  readonly kept: readonly KeptEvent[];
  /** How many may be missing before them. */
  readonly lost: number;
}

export class EventWindows {
  readonly #bounds: WindowBounds;
  /** Who said something last stands last. */
  readonly #windows = new Map<string, NodeWindow>();
  #bytes = 0;
  #forgottenThrough = 0;

  constructor(bounds: Partial<WindowBounds> = {}) {
    this.#bounds = { ...defaultBounds, ...bounds };
  }

  add(event: KeptEvent): void {
    const { node } = event.event.value;
    const window = this.#windows.get(node) ?? { kept: [], bytes: 0, lostThrough: 0, lost: 0 };
    this.#windows.delete(node);
    this.#windows.set(node, window);
    window.kept.push(event);
    window.bytes += event.bytes;
    this.#bytes += event.bytes;
    const { maxBytes, maxBytesPerNode, maxNodes, maxPerNode } = this.#bounds;
    while (window.kept.length > maxPerNode || window.bytes > maxBytesPerNode) this.#drop(window, 1);
    while (this.#bytes > maxBytes) this.#halveLargest();
    for (const [oldest, { kept, lostThrough, bytes }] of this.#windows) {
      if (this.#windows.size <= maxNodes) break;
      this.#windows.delete(oldest);
      this.#bytes -= bytes;
      this.#forgottenThrough = Math.max(this.#forgottenThrough, kept.at(-1)?.place ?? lostThrough);
    }
  }

  /** What came behind `place` from the nodes that `isWanted` names, in the order in which it came. */
  after(place: number, isWanted: (node: string) => boolean): Missed {
    let lost = place < this.#forgottenThrough ? 1 : 0; // I2
    const kept: KeptEvent[] = [];
    for (const [node, window] of this.#windows) {
      if (!isWanted(node)) continue;
      if (window.lostThrough > place) lost += Math.min(window.lost, window.lostThrough - place);
      for (const one of window.kept) if (one.place > place) kept.push(one);
    }
    return { kept: kept.sort((a, b) => a.place - b.place), lost };
  }

  #drop(window: NodeWindow, count: number): void {
    for (const { bytes, place } of window.kept.splice(0, count)) {
      window.bytes -= bytes;
      this.#bytes -= bytes;
      window.lostThrough = place;
      window.lost += 1;
    }
  }

  #halveLargest(): void {
    let largest: NodeWindow | undefined;
    for (const window of this.#windows.values())
      if (largest === undefined || window.bytes > largest.bytes) largest = window;
    if (largest !== undefined) this.#drop(largest, Math.ceil(largest.kept.length / 2));
  }
}
