/**
 * What a broker object declared, to be declared again on its next connection.
 *
 * I1  Each item is remembered once, with its latest spec; exchanges come before queues before bindings.
 * I2  A declaration that fails after a reconnect is logged and tried again, and never keeps the others from working:
 *     a connection that the broker has not yet given up may hold a queue, or someone made another queue of that name.
 */
import { delay, fullJitterMs, type Logger, messageOf } from '@gantry/kernel';
import { isTopologyMismatchError } from '../../topology-mismatch-error.js';
import type { AmqpSession } from './amqp-session.js';
import { declareItem, type TopologyItem } from './declarations.js';
import type { OperationChannel } from './operation-channel.js';

const retryBaseMs = 1000;
const retryMaxMs = 10_000;

export class DeclaredTopology {
  readonly #items = new Map<string, TopologyItem>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  remember(item: TopologyItem): void {
    this.#items.set(keyOf(item), item);
  }

  /** Declares everything, also what is remembered meanwhile; answers what failed (I2). */
  async restore(session: AmqpSession, operations: OperationChannel): Promise<TopologyItem[]> {
    const done = new Set<TopologyItem>();
    const failed: TopologyItem[] = [];
    for (let items = this.#sorted(); items.length > 0 && !session.isLost; ) {
      failed.push(...(await this.#declareAll(session, operations, items)));
      for (const item of items) done.add(item);
      items = this.#sorted().filter((item) => !done.has(item));
    }
    return failed;
  }

  /** Tries `items` until each is declared or the session is lost. */
  async retry(
    session: AmqpSession,
    operations: OperationChannel,
    items: readonly TopologyItem[],
    signal: AbortSignal,
  ): Promise<void> {
    let failed = items;
    for (let attempt = 0; failed.length > 0 && !session.isLost; attempt += 1) {
      try {
        await delay(fullJitterMs(attempt, retryBaseMs, retryMaxMs), signal);
      } catch {
        return;
      }
      failed = await this.#declareAll(session, operations, failed);
    }
  }

  async #declareAll(
    session: AmqpSession,
    operations: OperationChannel,
    items: readonly TopologyItem[],
  ): Promise<TopologyItem[]> {
    const failed: TopologyItem[] = [];
    for (const item of items) {
      try {
        await declareItem(operations, item);
      } catch (error) {
        if (session.isLost) return failed;
        failed.push(item);
        this.#logger[isTopologyMismatchError(error) ? 'error' : 'warn'](
          'a declaration failed; trying again',
          {
            error: messageOf(error),
          },
        );
      }
    }
    return failed;
  }

  #sorted(): TopologyItem[] {
    const rank = { exchange: 0, queue: 1, binding: 2 } as const;
    return [...this.#items.values()].sort((a, b) => rank[a.kind] - rank[b.kind]);
  }
}

const keyOf = ({ kind, spec }: TopologyItem): string =>
  kind === 'binding'
    ? JSON.stringify([kind, spec.queue, spec.exchange, spec.routingKey])
    : `${kind}:${spec.name}`;
