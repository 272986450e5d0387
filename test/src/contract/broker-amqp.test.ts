/**
 * The contract of the port `Broker` over a real RabbitMQ, whose user, password and virtual host need encoding; and
 * what only a real one has: TLS, sign-in, a server that cancels consumers.
 */

import { type Broker, type OpenBrokerOptions, openBroker } from '@gantry/broker';
import { describeBrokerContract } from '@gantry/broker/contract';
import { newId, newProcessId } from '@gantry/kernel';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../support/processes.js';
import { type RabbitMq, startRabbitMq } from '../support/rabbitmq.js';
import { createRecordingLogger } from '../support/recording-logger.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

const startTimeoutMs = 120_000;
const account = { user: 'gäntry /@:%#?', password: 'p:/@ #%?&+ä"\'', vhost: 'edge/of the %2F wörld' };
const timeoutMs = 5000;

let rabbit: RabbitMq;
const opened: Broker[] = [];

beforeAll(async () => {
  rabbit = await startRabbitMq({ tls: true, ...account });
}, startTimeoutMs);
afterEach(async () => {
  await Promise.all(opened.splice(0).map((broker) => broker.close()));
});
afterAll(() => rabbit?.stop(), startTimeoutMs);

async function open(options: Partial<OpenBrokerOptions> = {}): Promise<Broker> {
  const broker = await openBroker({ url: rabbit.url, ...options });
  opened.push(broker);
  return broker;
}

/** A durable queue bound to an exchange of its own. */
async function declareQueue(broker: Broker, more: { maxMessages?: number } = {}) {
  const name = newProcessId('amqp');
  await broker.declare({
    exchanges: [{ name, type: 'direct' }],
    queues: [{ name, durable: true, ...more }],
    bindings: [{ queue: name, exchange: name, routingKey: 'key' }],
  });
  return name;
}

const publish = (broker: Broker, exchange: string) =>
  broker.publish(
    {
      exchange,
      routingKey: 'key',
      messageId: newId(),
      headers: {},
      content: Buffer.from('x'),
      persistent: false,
    },
    { timeoutMs },
  );

describe('the RabbitMQ adapter', () => {
  const proxies = new Map<Broker, TcpProxy>();
  describeBrokerContract(
    async () => ({
      connect: async () => {
        const proxy = await startTcpProxy(rabbit.port);
        const url = rabbit.url.replace(`:${rabbit.port}`, `:${proxy.port}`);
        const broker = await openBroker({ url });
        proxies.set(broker, proxy);
        return broker;
      },
      kill: async (broker) => {
        await proxies.get(broker)?.cut();
        proxies.delete(broker);
      },
      close: async () => {
        await Promise.all([...proxies.values()].map((proxy) => proxy.cut()));
      },
    }),
    startTimeoutMs,
  );
});

describe('signing in to RabbitMQ', () => {
  it('works over TLS with a private authority, for a name and for an address', async () => {
    const url = rabbit.tlsUrl ?? '';
    for (const each of [url, url.replace('localhost', '127.0.0.1')]) {
      const broker = await open({ url: each, caFile: rabbit.caFile });
      expect(broker.status).toBe('connected');
      expect(await publish(broker, await declareQueue(broker))).toBe('confirmed');
    }
  });

  it('does not trust a certificate of an unknown authority', async () => {
    const logger = createRecordingLogger();
    const broker = await open({ url: rabbit.tlsUrl ?? '', logger });
    expect(broker.status).toBe('connecting');
    expect(logger.text()).toMatch(/certificate|self-signed/);
  });

  it('goes on trying with a wrong password, answers nothing meanwhile, and never writes the password down', async () => {
    const logger = createRecordingLogger();
    const password = 'a wrong secret';
    const url = rabbit.url.replace(encodeURIComponent(account.password), encodeURIComponent(password));
    const broker = await open({ url, logger });
    expect(broker.status).toBe('connecting');
    expect(await publish(broker, 'anything')).toBe('unavailable');
    await expect(broker.inspect('anything')).rejects.toMatchObject({ code: 'broker-unavailable' });
    expect(logger.text()).toMatch(/cannot connect to the message broker.*ACCESS.REFUSED/);
    for (const secret of [password, encodeURIComponent(password), account.password]) {
      expect(logger.text()).not.toContain(secret);
    }
  });

  it('shows its name in the list of connections', async () => {
    await open({ connectionName: 'gantry edge-frontend test' });
    await until('the connection to be listed', async () =>
      (await rabbit.ctl('list_connections', 'client_properties')).includes('gantry edge-frontend test'),
    );
  });
});

describe('consumers that RabbitMQ cancels', () => {
  it('consume again as soon as their queue is back', async () => {
    const logger = createRecordingLogger();
    const broker = await open({ logger });
    const name = await declareQueue(broker);
    let deliveries = 0;
    await broker.consume(name, { noAck: true }, () => {
      deliveries += 1;
    });
    await rabbit.ctl('delete_queue', '-p', account.vhost, name);
    await until('the cancellation', () => logger.text().includes('cancelled a consumer'));
    const queues = [{ name, durable: true }];
    const bindings = [{ queue: name, exchange: name, routingKey: 'key' }];
    await broker.declare({ exchanges: [], queues, bindings });
    expect(await publish(broker, name)).toBe('confirmed');
    await until('the delivery', () => deliveries === 1);
  });
});

describe('a queue that exists with other arguments', () => {
  it('is named in plain words, with both values', async () => {
    const broker = await open();
    const name = await declareQueue(broker, { maxMessages: 10 });
    const queues = [{ name, durable: true, maxMessages: 20 }];
    await expect(broker.declare({ exchanges: [], queues, bindings: [] })).rejects.toMatchObject({
      code: 'topology-mismatch',
      mismatch: { subject: 'queue', name, argument: 'x-max-length', declared: '20', existing: '10' },
    });
    await expect(
      broker.declare({ exchanges: [], queues: [{ name, durable: true }], bindings: [] }),
    ).rejects.toMatchObject({ mismatch: { argument: 'x-max-length', declared: 'none', existing: '10' } });
  });
});
