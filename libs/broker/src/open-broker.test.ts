import { describe, expect, it } from '@jest/globals';
import { InProcessServer } from './adapters/in-process/in-process-server.js';
import { openBroker } from './open-broker.js';

describe('opening a broker', () => {
  it('joins the callers of one process that share a server', async () => {
    const inProcess = new InProcessServer();
    const [one, two] = [
      await openBroker({ url: 'in-process:', inProcess }),
      await openBroker({ url: 'in-process:', inProcess }),
    ];
    const queues = [{ name: 'q', durable: true }];
    await one.declare({ exchanges: [], queues, bindings: [] });
    expect(await two.inspect('q')).toEqual({ messages: 0, consumers: 0 });
    const alone = await openBroker({ url: 'in-process:' });
    expect(await alone.inspect('q')).toBeUndefined();
    expect(alone.isDurable).toBe(false);
    await Promise.all([one.close(), two.close(), alone.close()]);
  });

  it('refuses other URLs without repeating them', async () => {
    await expect(openBroker({ url: 'redis://user:secret@host' })).rejects.toThrow(
      'the broker URL must start with amqp:// or amqps://',
    );
  });

  it('resolves while no broker is there, and closes at once', async () => {
    // Port 1 is privileged and unused on every machine that runs tests.
    const broker = await openBroker({ url: 'amqp://guest:guest@127.0.0.1:1', connectTimeoutMs: 500 });
    expect(broker.status).toBe('connecting');
    await expect(broker.inspect('q')).rejects.toMatchObject({ code: 'broker-unavailable' });
    await broker.close();
    expect(broker.status).toBe('closed');
  });
});
