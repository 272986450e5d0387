import { DeadlineWheel, silentLogger } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import { InProcessServer } from './adapters/in-process/in-process-server.js';
import { decodeControl, encodeDrain } from './messages/control-messages.js';
import { type LeaseOutcome, LeaseRequester, serveLeases } from './start-lease.js';
import { buildRuntimeTopology, buildSharedTopology, controlKeys, queues } from './topology.js';

const timeoutMs = 5000;

async function startPair(serve: { lease: () => Promise<LeaseOutcome>; maxConcurrent?: number }) {
  const server = new InProcessServer();
  const [frontend, runtime] = [server.connect(), server.connect()];
  await frontend.declare(buildSharedTopology());
  await runtime.declare(buildRuntimeTopology('r1', []));
  const requester = new LeaseRequester({ broker: runtime, runtimeId: 'r1', wheel: new DeadlineWheel(5) });
  await runtime.consume(queues.control('r1'), { noAck: true }, (delivery) => {
    const decoded = decodeControl(delivery);
    if (decoded.kind === 'ok' && decoded.value.kind === 'lease-reply') requester.onReply(decoded.value);
  });
  await serveLeases({ broker: frontend, logger: silentLogger, ...serve });
  return { frontend, requester };
}

describe('start leases', () => {
  it('are answered with unavailable above the bound of what one frontend works on', async () => {
    let decide: (outcome: LeaseOutcome) => void = () => undefined;
    const decided = new Promise<LeaseOutcome>((resolve) => {
      decide = resolve;
    });
    const { requester } = await startPair({ lease: () => decided, maxConcurrent: 1 });
    const first = requester.request('async.1', { redelivered: false, timeoutMs });
    expect(await requester.request('async.2', { redelivered: false, timeoutMs })).toEqual({
      kind: 'unavailable',
    });
    decide({ kind: 'granted', attempt: 1 });
    expect(await first).toEqual({ kind: 'granted', attempt: 1 });
  });

  it('are asked once at a time for one execution', async () => {
    const { requester } = await startPair({ lease: async () => ({ kind: 'granted', attempt: 1 }) });
    const [first, second] = await Promise.all(
      [1, 2].map(() => requester.request('async.1', { redelivered: false, timeoutMs })),
    );
    expect(first).toEqual({ kind: 'granted', attempt: 1 });
    expect(second).toEqual({ kind: 'unavailable' });
  });

  it('are not upset by foreign messages, late replies and grants without a number', async () => {
    const { frontend, requester } = await startPair({
      lease: async () => ({ kind: 'refused', reason: 'expired' }),
    });
    const drain = { ...encodeDrain('r1'), routingKey: controlKeys.leaseRequest };
    for (const content of [drain.content, Buffer.from('{')]) {
      expect(await frontend.publish({ ...drain, content })).toBe('confirmed');
    }
    requester.onReply({ v: 1, kind: 'lease-reply', executionId: 'async.9', outcome: 'granted', attempt: 1 });
    const asked = requester.request('async.1', { redelivered: false, timeoutMs });
    requester.onReply({ v: 1, kind: 'lease-reply', executionId: 'async.1', outcome: 'granted' });
    expect(await asked).toEqual({ kind: 'unavailable' });
    expect(await requester.request('async.2', { redelivered: false, timeoutMs })).toEqual({
      kind: 'refused',
      reason: 'expired',
    });
  });
});
