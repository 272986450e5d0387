import type { Options } from 'amqplib';
import type { QueueSpec } from '../../ports.js';
import { TopologyMismatchError } from '../../topology-mismatch-error.js';

/** A queue in RabbitMQ's arguments. */
export function toAssertOptions(spec: QueueSpec): Options.AssertQueue {
  const hasLimit = spec.maxMessages !== undefined || spec.maxBytes !== undefined;
  const overflow = spec.overflow ?? 'reject-publish';
  const isReplicated = spec.replicated === true;
  const args: Record<string, string | number> = {
    // Always named, so that a virtual host with another default type changes nothing.
    'x-queue-type': isReplicated ? 'quorum' : 'classic',
  };
  if (spec.maxMessages !== undefined) args['x-max-length'] = spec.maxMessages;
  if (spec.maxBytes !== undefined) args['x-max-length-bytes'] = spec.maxBytes;
  if (hasLimit) args['x-overflow'] = overflow;
  if (spec.deadLetterExchange !== undefined) args['x-dead-letter-exchange'] = spec.deadLetterExchange;
  if (spec.deadLetterRoutingKey !== undefined) args['x-dead-letter-routing-key'] = spec.deadLetterRoutingKey;
  if (isReplicated && spec.deliveryLimit !== undefined) args['x-delivery-limit'] = spec.deliveryLimit;
  if (isReplicated && spec.deadLetterExchange !== undefined && overflow === 'reject-publish') {
    // Without it a dead letter is sent once and forgotten. RabbitMQ requires reject-publish beside it.
    args['x-dead-letter-strategy'] = 'at-least-once';
    args['x-overflow'] = 'reject-publish';
  }
  return { durable: spec.durable, exclusive: spec.exclusive === true, autoDelete: false, arguments: args };
}

const inequivalent =
  /inequivalent arg '([^']+)' for (queue|exchange) '([^']*)' in vhost '.*?': received (.+?) but current is (.+?)"?$/;

/** The mismatch that RabbitMQ describes in a 406, or undefined when the text says something else. */
export function parseMismatch(text: string, cause?: unknown): TopologyMismatchError | undefined {
  const [, argument, subject, name, received, current] = inequivalent.exec(text) ?? [];
  if (argument === undefined || name === undefined || received === undefined || current === undefined) {
    return undefined;
  }
  return new TopologyMismatchError(
    {
      subject: subject === 'exchange' ? 'exchange' : 'queue',
      name,
      argument,
      declared: toPlainValue(received),
      existing: toPlainValue(current),
    },
    { cause },
  );
}

/** `the value '10' of type 'signedint'`, `'true'` and `none` become 10, true and none. */
const toPlainValue = (text: string): string => /'([^']*)'/.exec(text)?.[1] ?? text;
