import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { createLogger, createMetrics } from './index.js';
import { childTraceparent } from './traceparent.js';

function logTo(format: 'json' | 'text') {
  const stream = new PassThrough();
  const logger = createLogger({ service: 'edge', level: 'info', format, destination: stream });
  return { logger, read: () => String(stream.read() ?? '') };
}

describe('createLogger', () => {
  it('writes one JSON object a line, without the values of secrets at any depth', () => {
    const { logger, read } = logTo('json');
    logger.info('signed in', { user: 'ada', token: 'EsQB', nested: { password: 'hunter2', attempt: 1 } });
    const line = JSON.parse(read());
    expect(line).toMatchObject({
      level: 'info',
      service: 'edge',
      message: 'signed in',
      user: 'ada',
      token: '[redacted]',
      nested: { password: '[redacted]', attempt: 1 },
    });
  });

  it('leaves out what is below its level', () => {
    const { logger, read } = logTo('json');
    logger.debug('noise');
    expect(read()).toBe('');
  });

  it('writes errors with their message in text for people', () => {
    const { logger, read } = logTo('text');
    logger.error('cannot publish', { error: new Error('gone') });
    expect(read()).toMatch(/error edge cannot publish error=.*gone/);
  });
});

describe('createMetrics', () => {
  it('answers the same metric for the same name, and exposes it', async () => {
    const metrics = createMetrics();
    metrics.counter('calls_total', 'Calls', ['outcome']).inc({ outcome: 'ok' });
    metrics.counter('calls_total', 'Calls', ['outcome']).inc({ outcome: 'ok' });
    expect((await metrics.expose()).text).toContain('calls_total{outcome="ok"} 2');
  });
});

describe('childTraceparent', () => {
  it('keeps the trace id and takes a span id of its own', () => {
    const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const child = childTraceparent(parent) ?? '';
    expect(child.slice(0, 36)).toBe(parent.slice(0, 36));
    expect(child.slice(36, 52)).not.toBe(parent.slice(36, 52));
    expect(child.endsWith('-01')).toBe(true);
  });

  it.each(['', 'garbage', '00-00000000000000000000000000000000-00f067aa0ba902b7-01'])(
    'drops %j',
    (header) => {
      expect(childTraceparent(header)).toBeUndefined();
    },
  );
});
