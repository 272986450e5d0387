import { type Broker, encodeRequest } from '@gantry/broker';
import type { Job } from './job.js';

/** RabbitMQ confirms in milliseconds; a draining runtime does not wait long for one that does not. */
const publishTimeoutMs = 2000;

/**
 * Gives an execution that was held and never started to the other runtimes of its flavour.
 *
 * A synchronous call that comes again is never run, because it may have run before. This one did not, so its message is
 * published anew and only then acknowledged; where that fails it goes back like any other.
 */
export async function handOn({ request, delivery, wasRedelivered }: Job, broker: Broker): Promise<void> {
  if (request.mode === 'sync' && !wasRedelivered) {
    const copy = encodeRequest(request, delivery.content);
    const outcome = await broker.publish(copy, { timeoutMs: publishTimeoutMs });
    if (outcome === 'confirmed') {
      delivery.ack();
      return;
    }
  }
  delivery.nack({ requeue: true });
}
