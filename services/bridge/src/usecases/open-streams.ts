/**
 * Ends what is still open when its caller may no longer have it: calls to nodes, WebSockets and readers of events live
 * for as long as both sides like, and a right may end before.
 *
 * I1. Whether the token is in force, and the rights at the node are still those of the beginning or more, is looked at
 *     every `everyMs`, and for a node at once when its grants were changed here.
 * I2. What cannot be looked at (the store is away) changes nothing.
 */
import type { Principal } from '@gantry/contracts';
import { hasCode, type Part } from '@gantry/kernel';
import type { NodeRecords } from './node-records.js';
import { concernsPlugin, familyOf, resolveRights } from './resolve-rights.js';

export interface Caller {
  readonly principal: Principal;
  /** Whether what proved it is still good. Never rejects. */
  readonly isInForce: () => Promise<boolean>;
}

export interface OpenStream {
  readonly caller: Caller;
  /** Undefined: of no node. */
  readonly node: string | undefined;
  readonly plugin?: string;
  /** At the beginning. */
  readonly rights?: readonly string[];
  readonly end: () => void;
}

const defaultEveryMs = 10_000;

export class OpenStreams implements Part {
  readonly name = 'open streams';
  readonly #records: Pick<NodeRecords, 'find'>;
  readonly #everyMs: number;
  readonly #open = new Set<OpenStream>();
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;

  constructor(records: Pick<NodeRecords, 'find'>, everyMs = defaultEveryMs) {
    this.#records = records;
    this.#everyMs = everyMs;
  }

  get size(): number {
    return this.#open.size;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#checking ??= this.#check([...this.#open]).finally(() => {
        this.#checking = undefined;
      });
    }, this.#everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#checking;
  }

  /** Until what it answers is called. */
  watch(stream: OpenStream): () => void {
    this.#open.add(stream);
    return () => {
      this.#open.delete(stream);
    };
  }

  /** I1. Never rejects. */
  async checkNode(node: string): Promise<void> {
    await this.#check([...this.#open].filter((stream) => stream.node === node));
  }

  async #check(streams: readonly OpenStream[]): Promise<void> {
    for (const stream of streams) {
      if (!this.#open.has(stream)) continue;
      if ((await stream.caller.isInForce()) && (await this.#mayStill(stream))) continue;
      if (this.#open.delete(stream)) stream.end();
    }
  }

  async #mayStill({ caller, node, plugin = '', rights = [] }: OpenStream): Promise<boolean> {
    if (node === undefined) return true;
    try {
      const now = resolveRights(caller.principal, await this.#records.find(node));
      const ofPlugin = rights.filter((right) => concernsPlugin([right], familyOf(plugin)));
      return (ofPlugin.length > 0 ? ofPlugin : rights).every((right) => covers(now, right));
    } catch (error) {
      return !hasCode(error, 'node-not-found'); // I2
    }
  }
}

const covers = (rights: readonly string[], right: string): boolean =>
  rights.includes(right) ||
  (rights.includes('*') && !right.startsWith('agent:')) ||
  rights.includes(`${right.split(':', 1)[0]}:*`);
