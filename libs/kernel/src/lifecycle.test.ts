import { describe, expect, it } from '@jest/globals';
import { Lifecycle, type Part } from './lifecycle.js';

function recorded(names: readonly string[], overrides: Readonly<Record<string, Partial<Part>>> = {}) {
  const events: string[] = [];
  const parts = names.map(
    (name): Part => ({
      name,
      start: () => void events.push(`start ${name}`),
      stop: () => void events.push(`stop ${name}`),
      ...overrides[name],
    }),
  );
  return { events, parts };
}

describe('Lifecycle', () => {
  it('starts in order and stops in reverse, once', async () => {
    const { events, parts } = recorded(['store', 'broker', 'http']);
    const lifecycle = new Lifecycle();
    await lifecycle.start(parts);
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    expect(events).toEqual([
      'start store',
      'start broker',
      'start http',
      'stop http',
      'stop broker',
      'stop store',
    ]);
  });

  it('stops what had started when a part fails, and rethrows its error', async () => {
    const failure = new Error('port in use');
    const { events, parts } = recorded(['store', 'http', 'last'], {
      http: { start: () => Promise.reject(failure) },
    });
    await expect(new Lifecycle().start(parts)).rejects.toBe(failure);
    expect(events).toEqual(['start store', 'stop store']);
  });

  it('a failing and a hanging stop keep nothing else from being stopped, and are reported', async () => {
    const errors: string[] = [];
    const { events, parts } = recorded(['a', 'b', 'c'], {
      b: { stop: () => new Promise(() => undefined) },
      c: {
        stop: () => {
          throw new Error('broken');
        },
      },
    });
    const lifecycle = new Lifecycle({
      stopTimeoutMs: 20,
      onStopError: (part, error) => errors.push(`${part}: ${String(error)}`),
    });
    await lifecycle.start(parts);
    await lifecycle.stop();
    expect(events.at(-1)).toBe('stop a');
    expect(errors).toEqual(['c: Error: broken', 'b: DeadlineError: stopping b did not finish within 20 ms']);
  });

  it('a stop in the middle of a start stops the starting part too and starts nothing more', async () => {
    let finishStart: () => void = () => undefined;
    let onBrokerStarting: () => void = () => undefined;
    const brokerStarting = new Promise<void>((resolve) => {
      onBrokerStarting = resolve;
    });
    const { events, parts } = recorded(['store', 'broker', 'http'], {
      broker: {
        start: () =>
          new Promise<void>((resolve) => {
            finishStart = resolve;
            onBrokerStarting();
          }),
      },
    });
    const lifecycle = new Lifecycle();
    const starting = lifecycle.start(parts);
    const refused = expect(starting).rejects.toThrow('Stopped before http was started');
    await brokerStarting;
    const stopping = lifecycle.stop();
    finishStart();
    await stopping;
    await refused;
    expect(events).toEqual(['start store', 'stop broker', 'stop store']);
  });
});
