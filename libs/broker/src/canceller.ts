import type { Logger } from '@gantry/kernel';
import { decodeControl, encodeCancel, encodeDrain } from './messages/control-messages.js';
import type { Broker, Consumer, PublishOutcome } from './ports.js';
import { buildCancelTopology, queues } from './topology.js';

/**
 * Tells every runtime of the flavour and every frontend that an execution is cancelled. `unroutable` is no failure:
 * nobody is there who could run it.
 */
export const publishCancel = (
  broker: Broker,
  cancel: { executionId: string; flavour: string },
  options: { timeoutMs: number },
): Promise<PublishOutcome> => broker.publish(encodeCancel(cancel.executionId, cancel.flavour), options);

/** Tells one runtime to take nothing new, finish and stop. `unroutable`: it is not there. */
export const publishDrain = (
  broker: Broker,
  runtimeId: string,
  options: { timeoutMs: number },
): Promise<PublishOutcome> => broker.publish(encodeDrain(runtimeId), options);

/** Hears every cancellation that any frontend accepted, on a queue of this frontend process. */
export async function subscribeCancels(subscription: {
  readonly broker: Broker;
  readonly frontendId: string;
  readonly logger: Logger;
  /** Must not throw. */
  readonly onCancel: (executionId: string) => void;
}): Promise<Consumer> {
  const { broker, frontendId, logger, onCancel } = subscription;
  await broker.declare(buildCancelTopology(frontendId));
  return broker.consume(queues.cancels(frontendId), { noAck: true }, (delivery) => {
    const decoded = decodeControl(delivery);
    if (decoded.kind === 'ok' && decoded.value.kind === 'cancel') {
      onCancel(decoded.value.executionId);
      return;
    }
    const reason = decoded.kind === 'invalid' ? decoded.reason : `it is a ${decoded.value.kind} message`;
    logger.warn('a cancellation cannot be read and is dropped', { op: 'cancel.receive', reason });
  });
}
