import type { Logger } from '@gantry/kernel';
import { AmqpBroker } from './adapters/amqp/amqp-broker.js';
import type { InFlightLimits } from './adapters/amqp/confirm-publisher.js';
import { InProcessServer } from './adapters/in-process/in-process-server.js';
import type { Broker } from './ports.js';

export interface OpenBrokerOptions {
  /** `in-process:`, `amqp://user:password@host:port/vhost` or `amqps://…` (percent-encoded parts). */
  readonly url: string;
  /** The broker that the callers of one process share. Without it `in-process:` gives a broker of its own. */
  readonly inProcess?: InProcessServer | undefined;
  /** With `amqps:`: PEM file with the authorities to trust instead of the system's. */
  readonly caFile?: string | undefined;
  /** Shown in RabbitMQ's list of connections. */
  readonly connectionName?: string | undefined;
  /** Default 5. */
  readonly heartbeatSeconds?: number | undefined;
  readonly connectTimeoutMs?: number | undefined;
  readonly inFlightLimits?: InFlightLimits | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * A connection to the broker that the URL names. With RabbitMQ it resolves after the first attempt; when that failed
 * the status is `connecting` and attempts go on.
 * @throws {Error} when the URL cannot be read; never with the URL in it
 */
export async function openBroker(options: OpenBrokerOptions): Promise<Broker> {
  if (isInProcessUrl(options.url))
    return (options.inProcess ?? new InProcessServer({ ...withLogger(options) })).connect();
  return AmqpBroker.connect(options);
}

/** Whether the URL means a broker inside the process. */
export const isInProcessUrl = (url: string): boolean => url === 'in-process:';

const withLogger = ({ logger }: OpenBrokerOptions) => (logger === undefined ? {} : { logger });
