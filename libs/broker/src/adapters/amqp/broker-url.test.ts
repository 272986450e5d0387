import { describe, expect, it } from '@jest/globals';
import { parseBrokerUrl } from './broker-url.js';

describe('a broker URL', () => {
  it('names host, port, user, password and virtual host, percent-encoded', () => {
    const address = parseBrokerUrl('amqps://us%40er:p%3A%2F%25@broker.example:5999/v%2Fh%25');
    expect(address).toEqual({
      isTls: true,
      connect: {
        protocol: 'amqps',
        hostname: 'broker.example',
        port: 5999,
        username: 'us@er',
        password: 'p:/%',
        vhost: 'v%2Fh%25',
      },
      label: 'amqps://broker.example:5999/v%2Fh%25',
    });
  });

  it.each([
    ['amqp://h', 5672],
    ['amqp://h/', 5672],
    ['amqps://h', 5671],
    ['amqp://h/%2F', 5672],
  ])('%s means guest at the virtual host /', (url, port) => {
    expect(parseBrokerUrl(url).connect).toMatchObject({
      port,
      username: 'guest',
      password: 'guest',
      vhost: '%2F',
    });
  });

  it('may name an IPv6 address', () => {
    expect(parseBrokerUrl('amqp://[::1]:5673').connect).toMatchObject({ hostname: '::1', port: 5673 });
  });

  it.each([
    'http://u:secret@h',
    'amqp://u:secret@',
    'amqp://u:secret@h:port',
    'u:secret',
    'amqp://u:secret%@h',
    '',
  ])('that cannot be read is refused without repeating it: %s', (url) => {
    let text = '';
    try {
      parseBrokerUrl(url);
    } catch (error) {
      text = JSON.stringify(error, Object.getOwnPropertyNames(error)) + String(error);
    }
    expect(text).toContain('broker URL');
    expect(text).not.toContain('secret');
  });
});
