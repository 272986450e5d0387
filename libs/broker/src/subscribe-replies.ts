import type { Logger } from '@gantry/kernel';
import { decodeResult, type ResultMessage } from './messages/result-message.js';
import type { Broker, Consumer } from './ports.js';
import { buildReplyTopology, queues, type TopologyOptions } from './topology.js';

export interface ReplySubscription {
  readonly broker: Broker;
  readonly frontendId: string;
  readonly topology?: TopologyOptions;
  readonly logger: Logger;
  /** Called for each result message to this frontend, in the order of each sender. Must not throw. */
  readonly onMessage: (message: ResultMessage) => void;
}

/**
 * Opens the reply queue of a frontend process and reads it for as long as the broker is open. There is one exclusive
 * queue per process, bound once: a call changes nothing on the broker. After a reconnect queue, binding and consumer
 * are back; results sent meanwhile are gone, so whoever waits needs a deadline of its own.
 * @throws {TopologyMismatchError}
 * @throws {AppError} broker-unavailable
 */
export async function subscribeReplies(subscription: ReplySubscription): Promise<Consumer> {
  const { broker, frontendId, topology, logger, onMessage } = subscription;
  await broker.declare(buildReplyTopology(frontendId, topology));
  return broker.consume(queues.replies(frontendId), { noAck: true }, (delivery) => {
    const decoded = decodeResult(delivery);
    if (decoded.kind === 'ok') onMessage(decoded.value);
    else
      logger.warn('a result cannot be read and is dropped', { op: 'result.receive', reason: decoded.reason });
  });
}
