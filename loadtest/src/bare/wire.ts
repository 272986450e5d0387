/** The smallest sensible request and reply over RabbitMQ: what the platform's own path is compared with. */
import { type ChannelModel, connect } from 'amqplib';

export const bareRequests = 'bench.requests';
export const bareResults = 'bench.results';
export const bareQueue = 'bench.work';

/** A connection without Nagle's algorithm, which would add 40 ms to each answer. */
export async function openBare(brokerUrl: string) {
  const connection: ChannelModel = await connect(brokerUrl, { noDelay: true });
  connection.on('error', (error: unknown) => fail(error));
  const channel = await connection.createChannel();
  await channel.assertExchange(bareRequests, 'direct', { durable: false });
  await channel.assertExchange(bareResults, 'direct', { durable: false });
  await channel.assertQueue(bareQueue, { durable: false });
  await channel.bindQueue(bareQueue, bareRequests, bareQueue);
  return channel;
}

function fail(error: unknown): never {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}
