import { describe, expect, it } from '@jest/globals';
import { checkAccess } from './config.js';

const check = (host: string, access: 'open' | 'token') =>
  checkAccess({ access, host } as Parameters<typeof checkAccess>[0]);

describe('open mode', () => {
  it.each(['127.0.0.1', '127.8.9.10', '::1', 'localhost', 'LOCALHOST'])('may listen on %s', (host) => {
    expect(() => check(host, 'open')).not.toThrow();
  });

  it.each([
    '0.0.0.0',
    '::',
    '',
    '192.168.1.5',
    '10.0.0.1',
    'fe80::1',
    '::ffff:10.0.0.1',
    '127.0.0.1.example.com',
    'localhost.example.com',
    '127.0.0.1 ',
  ])('does not start on "%s", where others than this machine could reach it', (host) => {
    expect(() => check(host, 'open')).toThrow(expect.objectContaining({ name: 'ConfigError' }));
    expect(() => check(host, 'token')).not.toThrow();
  });
});
