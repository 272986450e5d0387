import type { ExecutionRequest } from '@gantry/contracts';
import { DeadlineWheel, newId, newProcessId, silentLogger } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import { publishCancel, publishDrain, subscribeCancels } from '../canceller.js';
import { decodeControl } from '../messages/control-messages.js';
import { decodeRequest, encodeRequest } from '../messages/request-message.js';
import { encodeResult, type ResultMessage } from '../messages/result-message.js';
import type { Broker } from '../ports.js';
import { publishRuntimeStatus, type RuntimeStatus, subscribeRuntimes } from '../runtime-status.js';
import { type LeaseOutcome, LeaseRequester, serveLeases } from '../start-lease.js';
import { subscribeReplies } from '../subscribe-replies.js';
import { buildFlavourTopology, buildRuntimeTopology, buildSharedTopology, queues } from '../topology.js';
import { type Connections, collect, publishOptions, takeOne, timeoutMs, until } from './harness.js';

const wheel = new DeadlineWheel(10);

async function prepare(broker: Broker): Promise<{ flavour: string; frontendId: string; runtimeId: string }> {
  const flavour = newProcessId('flavour');
  await broker.declare(buildSharedTopology());
  await broker.declare(buildFlavourTopology(flavour));
  return { flavour, frontendId: newProcessId('f'), runtimeId: newProcessId('r') };
}

const requestOf = (executionId: string, flavour: string): ExecutionRequest => ({
  executionId,
  mode: 'sync',
  flavour,
  owner: 'ada',
  functionId: 1,
  requirementId: 2,
  functionSha256: 'a'.repeat(64),
  language: 'JS',
  expiresAtMs: Date.now() + 60_000,
  queueMs: 60_000,
  runMs: 1000,
});

/** A runtime that asks for leases, with the control queue it hears the replies on. */
async function startRequester(broker: Broker, runtimeId: string, flavour: string): Promise<LeaseRequester> {
  const requester = new LeaseRequester({ broker, runtimeId, wheel });
  await broker.declare(buildRuntimeTopology(runtimeId, [flavour]));
  await broker.consume(queues.control(runtimeId), { noAck: true }, (delivery) => {
    const decoded = decodeControl(delivery);
    if (decoded.kind === 'ok' && decoded.value.kind === 'lease-reply') requester.onReply(decoded.value);
  });
  return requester;
}

export function describePlatformMessages({ connect }: Connections): void {
  describe('messages of the platform', () => {
    it('brings a request to the runtime of its flavour, and its result to the frontend that waits', async () => {
      const [frontend, runtime] = [await connect(), await connect()];
      const { flavour, frontendId, runtimeId } = await prepare(frontend);
      const heard: ResultMessage[] = [];
      const onMessage = (message: ResultMessage) => void heard.push(message);
      const replies = await subscribeReplies({
        broker: frontend,
        frontendId,
        logger: silentLogger,
        onMessage,
      });
      const request = requestOf(`${frontendId}.${newId()}`, flavour);
      expect(await frontend.publish(encodeRequest(request, Buffer.from('["MQ=="]')), publishOptions)).toBe(
        'confirmed',
      );

      const delivery = await takeOne(runtime, queues.execute(flavour, 'sync'));
      const decoded = decodeRequest(delivery);
      expect(decoded).toEqual({ kind: 'ok', value: request });
      expect(delivery.content.toString()).toBe('["MQ=="]');
      const run = { executionId: request.executionId, attempt: 1, runtimeId };
      const result = Buffer.from('{"ret_code":0,"res":"MQ==","err":null}');
      for (const message of [
        { kind: 'started', ...run, startedAtMs: 5 },
        { kind: 'progress', ...run, progressPerMille: 500 },
        { kind: 'finished', ...run, status: 'succeeded', result, log: Buffer.from('hello') },
      ] as const) {
        expect(await runtime.publish(encodeResult(message), publishOptions)).toBe('confirmed');
      }

      await until('the result', () => heard.length === 3);
      expect(heard).toEqual([
        { kind: 'started', ...run, startedAtMs: 5 },
        { kind: 'progress', ...run, progressPerMille: 500 },
        expect.objectContaining({ kind: 'finished', ...run, status: 'succeeded' }),
      ]);
      const [, , finished] = heard;
      if (finished?.kind !== 'finished') throw new Error('unreachable');
      expect(finished.result.toString()).toBe(result.toString());
      expect(finished.log.toString()).toBe('hello');
      await replies.cancel();
    });

    it('keeps results of asynchronous executions for any frontend', async () => {
      const broker = await connect();
      const { runtimeId } = await prepare(broker);
      const executionId = `async.${newId()}`;
      const outcome = await broker.publish(
        encodeResult({ kind: 'started', executionId, attempt: 1, runtimeId, startedAtMs: 5 }),
        publishOptions,
      );
      expect(outcome).toBe('confirmed');
      expect((await takeOne(broker, queues.asyncResults)).messageId).toBe(executionId);
    });

    it('says that nobody waits for a result of a frontend that has gone', async () => {
      const broker = await connect();
      const { runtimeId } = await prepare(broker);
      const executionId = `${newProcessId('f')}.${newId()}`;
      const gone = encodeResult({ kind: 'started', executionId, attempt: 1, runtimeId, startedAtMs: 5 });
      expect(await broker.publish(gone, publishOptions)).toBe('unroutable');
    });

    it('gives start leases: granted, refused, and unavailable when the decision fails', async () => {
      const [frontend, runtime] = [await connect(), await connect()];
      const { flavour, runtimeId } = await prepare(frontend);
      const asked: unknown[] = [];
      const decisions = new Map<string, LeaseOutcome>([
        ['async.yes', { kind: 'granted', attempt: 3 }],
        ['async.no', { kind: 'refused', reason: 'cancelled' }],
      ]);
      await serveLeases({
        broker: frontend,
        logger: silentLogger,
        lease: async (request) => {
          asked.push(request);
          const decision = decisions.get(request.executionId);
          if (decision === undefined) throw new Error('the store is down');
          return decision;
        },
      });
      const requester = await startRequester(runtime, runtimeId, flavour);
      const ask = (executionId: string) => requester.request(executionId, { redelivered: true, timeoutMs });
      expect(await Promise.all(['async.yes', 'async.no', 'async.other'].map(ask))).toEqual([
        { kind: 'granted', attempt: 3 },
        { kind: 'refused', reason: 'cancelled' },
        { kind: 'unavailable' },
      ]);
      expect(asked[0]).toEqual({ executionId: 'async.yes', runtimeId, redelivered: true });
    });

    it('ends a lease request by its time when no frontend is there, and leaves nothing behind', async () => {
      const runtime = await connect();
      const { flavour, runtimeId } = await prepare(runtime);
      const requester = await startRequester(runtime, runtimeId, flavour);
      const outcome = await requester.request('async.x', { redelivered: false, timeoutMs: 100 });
      expect(outcome).toEqual({ kind: 'unavailable' });
      // The request expires where it waits; the queue is shared by every test that asks.
      await until(
        'the request to expire',
        async () => (await runtime.inspect(queues.leases))?.messages === 0,
      );
    });

    it('tells the runtimes of a flavour and all frontends about a cancellation, and one runtime to drain', async () => {
      const [frontend, runtime] = [await connect(), await connect()];
      const { flavour, frontendId, runtimeId } = await prepare(frontend);
      await runtime.declare(buildRuntimeTopology(runtimeId, [flavour]));
      const control = await collect(runtime, queues.control(runtimeId), { noAck: true });
      const heard: string[] = [];
      const onCancel = (executionId: string) => heard.push(executionId);
      await subscribeCancels({ broker: frontend, frontendId, logger: silentLogger, onCancel });
      expect(await publishCancel(frontend, { executionId: 'f.1', flavour }, publishOptions)).toBe(
        'confirmed',
      );
      expect(await publishDrain(frontend, runtimeId, publishOptions)).toBe('confirmed');
      expect(await publishDrain(frontend, newProcessId('r'), publishOptions)).toBe('unroutable');
      await until('the control messages', () => control.deliveries.length === 2 && heard.length === 1);
      expect(heard).toEqual(['f.1']);
      expect(control.deliveries.map((delivery) => decodeControl(delivery))).toMatchObject([
        { kind: 'ok', value: { kind: 'cancel', executionId: 'f.1' } },
        { kind: 'ok', value: { kind: 'drain' } },
      ]);
    });

    it('tells every frontend what a runtime serves, and asks runtimes for it when a frontend starts', async () => {
      const [one, other, runtime] = [await connect(), await connect(), await connect()];
      const { flavour, runtimeId } = await prepare(runtime);
      await runtime.declare(buildRuntimeTopology(runtimeId, [flavour]));
      const control = await collect(runtime, queues.control(runtimeId), { noAck: true });
      const heard: RuntimeStatus[] = [];
      for (const broker of [one, other])
        await subscribeRuntimes({
          ...{ broker, frontendId: newProcessId('f'), logger: silentLogger },
          onStatus: (status) => {
            // Other tests of this broker may have runtimes of their own.
            if (status.runtimeId === runtimeId) heard.push(status);
          },
        });
      await until('both questions', () => control.deliveries.length >= 2);
      expect(decodeControl(control.deliveries[0] as never)).toMatchObject({
        value: { kind: 'status-request' },
      });
      const languages = [{ language: 'JS' as const, available: true }];
      const flavours = [{ name: 'Nature', isolation: 'sandbox' as const, slots: 1, running: 0, languages }];
      expect(await publishRuntimeStatus(runtime, { runtimeId, flavours }, publishOptions)).toBe('confirmed');
      await until('both frontends', () => heard.length === 2);
      expect(heard).toMatchObject([{ flavours }, { flavours }]);
    });
  });
}
