import type { Options } from 'amqplib';

/** Where a broker is and who we are there. */
export interface BrokerAddress {
  readonly connect: Options.Connect;
  readonly isTls: boolean;
  /** For logs and errors: no user, no password. */
  readonly label: string;
}

/**
 * Reads `amqp://user:password@host:port/vhost` or `amqps://…` as the RabbitMQ URI specification says: user, password
 * and virtual host are percent-encoded; without a user it is `guest`, without a virtual host `/`.
 * @throws {Error} that never contains the URL, because a URL contains a password
 */
export function parseBrokerUrl(url: string): BrokerAddress {
  const parts = parse(url);
  const isTls = parts.protocol === 'amqps:';
  if (!isTls && parts.protocol !== 'amqp:')
    throw new Error('the broker URL must start with amqp:// or amqps://');
  const hostname = parts.hostname.replace(/^\[|\]$/g, '');
  if (hostname === '') throw new Error('the broker URL names no host');
  const port = parts.port === '' ? (isTls ? 5671 : 5672) : Number(parts.port);
  const vhost = parts.pathname.length <= 1 ? '/' : decode(parts.pathname.slice(1), 'virtual host');
  const hasUser = parts.username !== '' || parts.password !== '';
  return {
    isTls,
    connect: {
      protocol: isTls ? 'amqps' : 'amqp',
      hostname,
      port,
      username: hasUser ? decode(parts.username, 'user') : 'guest',
      password: hasUser ? decode(parts.password, 'password') : 'guest',
      // amqplib decodes it once more.
      vhost: encodeURIComponent(vhost),
    },
    label: `${parts.protocol}//${parts.hostname}:${port}/${encodeURIComponent(vhost)}`,
  };
}

function parse(url: string): URL {
  try {
    return new URL(url);
  } catch {
    // The original error carries the whole URL; it must not become a cause.
    throw new Error(
      'the broker URL cannot be read; write amqp://user:password@host:port/vhost, percent-encoded',
    );
  }
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(`the ${what} in the broker URL is not percent-encoded correctly`);
  }
}
