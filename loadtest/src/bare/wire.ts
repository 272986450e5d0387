/** The smallest sensible request and reply over RabbitMQ: what the platform's own path is compared with. */
import { type Channel, type ChannelModel, type ConfirmChannel, connect, type Options } from 'amqplib';

export const bareRequests = 'bench.requests';
export const bareResults = 'bench.results';
export const bareQueueOf = (delivery: Delivery): string => `bench.work.${delivery}`;

/**
 * `plain`: the least that works. `confirmed`: under the platform's own rules of delivery, that is every publish mandatory
 * and confirmed, and a request acknowledged only when its answer was confirmed. `floor`: the same, on a queue of its own.
 */
export type Delivery = 'plain' | 'confirmed' | 'floor';

/** A connection without Nagle's algorithm, which would add 40 ms to each answer. */
export async function openBare(brokerUrl: string, delivery: Delivery) {
  const connection: ChannelModel = await connect(brokerUrl, { noDelay: true });
  connection.on('error', (error: unknown) => fail(error));
  const channel = await (delivery === 'plain'
    ? connection.createChannel()
    : connection.createConfirmChannel());
  await channel.assertExchange(bareRequests, 'direct', { durable: false });
  await channel.assertExchange(bareResults, 'direct', { durable: false });
  const queue = bareQueueOf(delivery);
  await channel.assertQueue(queue, { durable: false });
  await channel.bindQueue(queue, bareRequests, queue);
  return channel;
}

/** Publishes by the rules of `delivery`; `onHandedOn` when the broker has it. */
export function publish(
  channel: Channel | ConfirmChannel,
  [exchange, routingKey]: readonly [string, string],
  content: Buffer,
  options: Options.Publish,
  onHandedOn: () => void = () => undefined,
): void {
  if ('waitForConfirms' in channel) {
    channel.publish(exchange, routingKey, content, { ...options, mandatory: true }, (error: unknown) => {
      if (error !== null) fail(error);
      onHandedOn();
    });
    return;
  }
  channel.publish(exchange, routingKey, content, options);
  onHandedOn();
}

function fail(error: unknown): never {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}
