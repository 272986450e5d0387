import { describe, expect, it } from '@jest/globals';
import type { Topology } from './ports.js';
import {
  buildCancelTopology,
  buildFlavourTopology,
  buildReplyTopology,
  buildRuntimesTopology,
  buildRuntimeTopology,
  buildSharedTopology,
} from './topology.js';

const all = (replicated: boolean): Topology[] => [
  buildSharedTopology({ replicated }),
  buildFlavourTopology('Nature', { replicated }),
  buildReplyTopology('f1'),
  buildCancelTopology('f1'),
  buildRuntimesTopology('f1'),
  buildRuntimeTopology('r1', ['Nature', 'GPU']),
];

const bindingsOf = (topology: Topology): string[] =>
  topology.bindings.map(({ exchange, routingKey, queue }) => `${exchange} ${routingKey} -> ${queue}`);

describe('the topology', () => {
  it('binds every queue to the exchanges of the platform', () => {
    expect(all(false).flatMap(bindingsOf)).toEqual([
      'dead.v1 # -> dead.v1',
      'results.v1 async.* -> results.async',
      'control.v1 lease.request -> leases.v1',
      'requests.v1 Nature.sync -> execute.v1.Nature.sync',
      'requests.v1 Nature.async -> execute.v1.Nature.async',
      'results.v1 f1.* -> replies.v1.f1',
      'control.v1 cancel.# -> cancels.v1.f1',
      'control.v1 status.of.* -> runtimes.v1.f1',
      'control.v1 cancel.Nature -> control.v1.r1',
      'control.v1 cancel.GPU -> control.v1.r1',
      'control.v1 drain.r1 -> control.v1.r1',
      'control.v1 lease.reply.r1 -> control.v1.r1',
      'control.v1 status.request -> control.v1.r1',
    ]);
  });

  it.each([false, true])('bounds every queue in messages and bytes (replicated: %s)', (replicated) => {
    const queues = all(replicated).flatMap((topology) => topology.queues);
    expect(queues).toHaveLength(9);
    for (const { maxMessages, maxBytes } of queues) {
      expect(maxMessages).toBeGreaterThan(0);
      expect(maxBytes).toBeGreaterThan(0);
    }
  });

  it('refuses publishes to a full queue, except where the newest counts: there the oldest goes', () => {
    const queues = all(true).flatMap((topology) => topology.queues);
    expect(queues.filter(({ overflow }) => overflow === 'drop-head').map(({ name }) => name)).toEqual([
      'dead.v1',
      'runtimes.v1.f1',
    ]);
  });

  it('is self-contained: each part names the exchanges it binds to', () => {
    for (const { exchanges, bindings } of all(false)) {
      const names = exchanges.map(({ name }) => name);
      for (const { exchange } of bindings) expect(names).toContain(exchange);
    }
  });

  it('replicates what must outlive a node, and nothing else', () => {
    const replicated = all(true).flatMap((topology) =>
      topology.queues.filter((queue) => queue.replicated === true),
    );
    expect(replicated.map(({ name }) => name)).toEqual([
      'dead.v1',
      'results.async',
      'execute.v1.Nature.async',
    ]);
    expect(
      all(false)
        .flatMap(({ queues }) => queues)
        .some(({ replicated: is }) => is === true),
    ).toBe(false);
  });

  it('takes limits from the configuration, each by itself', () => {
    const limits = { sync: { maxMessages: 7, maxBytes: 70 } };
    const [sync, async] = buildFlavourTopology('Nature', { limits }).queues;
    expect(sync).toMatchObject({ maxMessages: 7, maxBytes: 70, deadLetterExchange: 'dead.v1' });
    expect(async).toMatchObject({ maxMessages: 100_000, deadLetterExchange: 'dead.v1' });
  });
});
