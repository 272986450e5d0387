import {
  type Broker,
  buildCancelTopology,
  buildReplyTopology,
  buildSharedTopology,
  decodeControl,
  decodeResult,
  encodeLeaseReply,
  encodeRequest,
  type FinishedMessage,
  InProcessServer,
  queues,
  type ResultMessage,
} from '@gantry/broker';
import type { ControlMessage, ExecutionRequest } from '@gantry/contracts/execution';
import { AppError, newId, silentLogger } from '@gantry/kernel';
import type { ExecutionRecord, PayloadSource } from '../ports.js';
import { createRuntime, type Runtime } from '../runtime.js';
import type { RuntimeOptions } from '../runtime-options.js';
import { encodeParameters, sha256Of } from './sandbox-fixture.js';

export const flavour = 'Nature';
const mebibyte = 1024 * 1024;

/** Payloads in memory; `failure` is thrown instead while it is set. */
class MemoryPayloads implements PayloadSource {
  readonly #payloads = new Map<string, Buffer>();
  failure: AppError | undefined;
  /** What {@link check} throws while it is set. */
  refusal: AppError | undefined;
  fetches = 0;

  add(bytes: Buffer): string {
    const sha256 = sha256Of(bytes);
    this.#payloads.set(sha256, bytes);
    return sha256;
  }

  check(): Promise<void> {
    return this.refusal === undefined ? Promise.resolve() : Promise.reject(this.refusal);
  }

  fetch(sha256: string): Promise<Buffer> {
    this.fetches += 1;
    const bytes = this.#payloads.get(sha256);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (bytes === undefined) return Promise.reject(new AppError('payload-not-found', `no payload ${sha256}`));
    return Promise.resolve(bytes);
  }
}

type LeaseAnswer = Omit<Extract<ControlMessage, { kind: 'lease-reply' }>, 'v' | 'kind' | 'executionId'>;

/** An edge frontend as far as a runtime can tell: it sends requests, reads results, answers lease requests. */
export class FakeFrontend {
  readonly server = new InProcessServer();
  readonly broker: Broker = this.server.connect();
  readonly payloads = new MemoryPayloads();
  readonly records: ExecutionRecord[] = [];
  readonly results: ResultMessage[] = [];
  readonly leaseRequests: Extract<ControlMessage, { kind: 'lease-request' }>[] = [];
  /** How lease requests are answered; `silent` is not at all. */
  lease: LeaseAnswer | 'silent' = { outcome: 'granted', attempt: 1 };
  readonly #runtimes: Runtime[] = [];

  async start(): Promise<void> {
    await this.broker.declare(buildSharedTopology());
    await this.broker.declare(buildReplyTopology('f1'));
    await this.broker.declare(buildCancelTopology('f1'));
    for (const queue of [queues.replies('f1'), queues.asyncResults]) {
      await this.broker.consume(queue, { noAck: true }, (delivery) => {
        const decoded = decodeResult(delivery);
        if (decoded.kind === 'ok') this.results.push(decoded.value);
      });
    }
    await this.broker.consume(queues.leases, { noAck: true }, (delivery) => {
      const decoded = decodeControl(delivery);
      if (decoded.kind !== 'ok' || decoded.value.kind !== 'lease-request') return;
      this.leaseRequests.push(decoded.value);
      if (this.lease === 'silent') return;
      const { runtimeId, executionId } = decoded.value;
      void this.broker.publish(encodeLeaseReply(runtimeId, { executionId, ...this.lease }), {
        timeoutMs: 1000,
      });
    });
  }

  async runtime(
    options: Partial<RuntimeOptions> = {},
    broker: Broker = this.server.connect(),
  ): Promise<Runtime> {
    const metrics = {
      executionEnded: (record: ExecutionRecord) => this.records.push(record),
      workerRestarted: () => undefined,
    };
    const runtime = createRuntime(
      { broker, payloads: this.payloads, logger: silentLogger, metrics },
      {
        runtimeId: `r${this.#runtimes.length + 1}`,
        flavours: [flavour],
        // Process ids as functions see them are those of this machine then.
        isolation: 'process',
        resultBytes: 4 * mebibyte,
        drainMs: 1000,
        ...options,
      },
    );
    this.#runtimes.push(runtime);
    await runtime.start();
    return runtime;
  }

  request(source: string, changes: Partial<ExecutionRequest> = {}): ExecutionRequest {
    const mode = changes.mode ?? 'sync';
    return {
      executionId: `${mode === 'sync' ? 'f1' : 'async'}.${newId()}`,
      mode,
      flavour,
      owner: 'alice',
      functionId: 1,
      requirementId: 2,
      functionSha256: this.payloads.add(Buffer.from(source)),
      language: 'JS',
      expiresAtMs: Date.now() + 30_000,
      queueMs: 30_000,
      runMs: 10_000,
      ...changes,
    };
  }

  async send(request: ExecutionRequest, values: readonly unknown[] = []): Promise<string> {
    const content = request.parametersSha256 === undefined ? encodeParameters(values) : Buffer.alloc(0);
    const outcome = await this.broker.publish(encodeRequest(request, content), { timeoutMs: 1000 });
    if (outcome !== 'confirmed') throw new Error(`the request was not taken: ${outcome}`);
    return request.executionId;
  }

  finishedOf(executionId: string): FinishedMessage | undefined {
    return this.results.find(
      (result): result is FinishedMessage => result.kind === 'finished' && result.executionId === executionId,
    );
  }

  /** The end of an execution, waited for. */
  async finished(executionId: string): Promise<FinishedMessage> {
    for (let waitedMs = 0; waitedMs < 15_000; waitedMs += 5) {
      const found = this.finishedOf(executionId);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`execution ${executionId} did not end`);
  }

  /** What is in a queue, as the next consumer would find it. */
  async waiting(mode: 'sync' | 'async'): Promise<number> {
    return (await this.broker.inspect(queues.execute(flavour, mode)))?.messages ?? 0;
  }

  async stop(): Promise<void> {
    for (const runtime of this.#runtimes) await runtime.stop();
    await this.broker.close();
  }
}

/** `err` of an answer. */
export const errorOf = (message: FinishedMessage): string | null =>
  (JSON.parse(message.result.toString()) as { err: string | null }).err;
