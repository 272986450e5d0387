import type { Broker, OutgoingMessage, PublishOutcome } from '@gantry/broker';

/** The same broker, with publishes that a test decides on; `undefined` lets one through. */
export class SteeredBroker implements Broker {
  readonly inner: Broker;
  steer: (message: OutgoingMessage) => PublishOutcome | undefined | Promise<PublishOutcome | undefined> =
    () => undefined;
  /** What it says instead of its own status. */
  statusOverride: Broker['status'] | undefined;

  constructor(broker: Broker) {
    this.inner = broker;
  }

  get status() {
    return this.statusOverride ?? this.inner.status;
  }

  get isDurable() {
    return this.inner.isDurable;
  }

  onStatus: Broker['onStatus'] = (listener) => this.inner.onStatus(listener);
  declare: Broker['declare'] = (topology, options) => this.inner.declare(topology, options);
  consume: Broker['consume'] = (queue, options, onDelivery) => this.inner.consume(queue, options, onDelivery);
  inspect: Broker['inspect'] = (queue) => this.inner.inspect(queue);
  roundTripMs: Broker['roundTripMs'] = () => this.inner.roundTripMs();
  close: Broker['close'] = () => this.inner.close();

  async publish(message: OutgoingMessage, options: { timeoutMs: number }): Promise<PublishOutcome> {
    return (await this.steer(message)) ?? this.inner.publish(message, options);
  }
}
