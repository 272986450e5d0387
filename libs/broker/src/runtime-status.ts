import type { RuntimeFlavour } from '@gantry/contracts';
import type { Logger } from '@gantry/kernel';
import { decodeControl, encodeRuntimeStatus, encodeStatusRequest } from './messages/control-messages.js';
import type { Broker, Consumer, PublishOutcome } from './ports.js';
import { buildRuntimesTopology, queues } from './topology.js';

/** What a runtime serves; no flavours when it takes nothing any more. */
export interface RuntimeStatus {
  readonly runtimeId: string;
  readonly flavours: readonly RuntimeFlavour[];
}

/** Tells every frontend what a runtime serves. `unroutable` is no failure: no frontend is there yet. */
export const publishRuntimeStatus = (
  broker: Broker,
  { runtimeId, flavours }: RuntimeStatus,
  options: { timeoutMs: number },
): Promise<PublishOutcome> =>
  broker.publish(encodeRuntimeStatus({ runtimeId, flavours: [...flavours] }), options);

/** Hears what runtimes say of themselves, on a queue of this frontend process, and asks all of them once. */
export async function subscribeRuntimes(subscription: {
  readonly broker: Broker;
  readonly frontendId: string;
  readonly logger: Logger;
  /** Must not throw. */
  readonly onStatus: (status: RuntimeStatus) => void;
}): Promise<Consumer> {
  const { broker, frontendId, logger, onStatus } = subscription;
  await broker.declare(buildRuntimesTopology(frontendId));
  const consumer = await broker.consume(queues.runtimes(frontendId), { noAck: true }, (delivery) => {
    const decoded = decodeControl(delivery);
    if (decoded.kind === 'ok' && decoded.value.kind === 'runtime-status') {
      onStatus(decoded.value);
      return;
    }
    const reason = decoded.kind === 'invalid' ? decoded.reason : `it is a ${decoded.value.kind} message`;
    logger.warn('an announcement of a runtime cannot be read and is dropped', {
      op: 'runtime.announce',
      reason,
    });
  });
  // Never rejects; when it is lost, runtimes speak up by themselves within seconds.
  void broker.publish(encodeStatusRequest(), { timeoutMs: askTimeoutMs });
  return consumer;
}

const askTimeoutMs = 2000;
