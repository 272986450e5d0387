import { messageOf } from '@gantry/kernel';
import type { Channel } from 'amqplib';
import type { BindingSpec, ExchangeSpec, QueueSpec, Topology } from '../../ports.js';
import { type OperationChannel, replyCodeOf, toUnavailable } from './operation-channel.js';
import { parseMismatch, toAssertOptions } from './queue-arguments.js';

export type TopologyItem =
  | { readonly kind: 'exchange'; readonly spec: ExchangeSpec }
  | { readonly kind: 'queue'; readonly spec: QueueSpec }
  | { readonly kind: 'binding'; readonly spec: BindingSpec };

/** In the order in which they can be declared. */
export const itemsOf = (topology: Topology): TopologyItem[] => [
  ...topology.exchanges.map((spec) => ({ kind: 'exchange' as const, spec })),
  ...topology.queues.map((spec) => ({ kind: 'queue' as const, spec })),
  ...topology.bindings.map((spec) => ({ kind: 'binding' as const, spec })),
];

/**
 * @throws {TopologyMismatchError} when it exists with other arguments
 * @throws {AppError} broker-unavailable for every other refusal, also when another connection owns the queue
 */
export async function declareItem(operations: OperationChannel, item: TopologyItem): Promise<void> {
  const what =
    item.kind === 'binding'
      ? `binding queue "${item.spec.queue}"`
      : `declaring ${item.kind} "${item.spec.name}"`;
  try {
    await operations.run(what, (channel) => declareOn(channel, item));
  } catch (error) {
    const mismatch = replyCodeOf(error) === 406 ? parseMismatch(messageOf(error), error) : undefined;
    throw mismatch ?? toUnavailable(what, error);
  }
}

async function declareOn(channel: Channel, item: TopologyItem): Promise<void> {
  switch (item.kind) {
    case 'exchange':
      await channel.assertExchange(item.spec.name, item.spec.type, { durable: true });
      return;
    case 'queue':
      await channel.assertQueue(item.spec.name, toAssertOptions(item.spec));
      return;
    case 'binding':
      await channel.bindQueue(item.spec.queue, item.spec.exchange, item.spec.routingKey);
      return;
  }
}
