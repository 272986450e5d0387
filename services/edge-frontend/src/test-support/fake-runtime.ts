/** A runtime that speaks the messages and runs nothing: what a call does is up to the test. */
import {
  type Broker,
  buildFlavourTopology,
  buildRuntimeTopology,
  buildSharedTopology,
  type Delivery,
  decodeControl,
  decodeRequest,
  encodeResult,
  type FinishedMessage,
  type InProcessServer,
  LeaseRequester,
  publishRuntimeStatus,
  queues,
} from '@gantry/broker';
import type { ExecResult, ExecutionRequest, RuntimeFlavour } from '@gantry/contracts';
import { DeadlineWheel, newProcessId } from '@gantry/kernel';

export interface RunningCall {
  readonly request: ExecutionRequest;
  readonly parameters: string[];
  readonly attempt: number;
  readonly delivery: Delivery;
  /** Resolves when the execution is cancelled. */
  readonly cancelled: Promise<void>;
  started(): Promise<void>;
  progress(perMille: number): Promise<void>;
  /** Publishes the end; the delivery is acknowledged by the runtime afterwards. */
  finish(
    result: ExecResult,
    options?: { status?: FinishedMessage['status']; code?: string; log?: string },
  ): Promise<void>;
}

export type Behaviour = (call: RunningCall) => Promise<void>;

/** Answers the first parameter. */
export const echo: Behaviour = (call) =>
  call.finish({ ret_code: 0, res: call.parameters[0] ?? '', err: null });

/** Says that it started and never ends, unless it is cancelled. */
export const runForEver: Behaviour = async (call) => {
  await call.started();
  await call.cancelled;
  await call.finish(
    { ret_code: -1, res: '', err: 'cancelled: stopped' },
    { status: 'cancelled', code: 'cancelled', log: 'stopped' },
  );
};

/** One flavour of an announcement; what is left out has a default. */
type Announced = Partial<RuntimeFlavour> & Pick<RuntimeFlavour, 'languages'>;

export class FakeRuntime {
  readonly id = newProcessId('r');
  readonly seen: ExecutionRequest[] = [];
  readonly contents: Buffer[] = [];
  readonly refusedLeases: string[] = [];
  behaviour: Behaviour;
  /** What it says when a frontend asks. */
  status: Announced[] = [];
  readonly #broker: Broker;
  readonly #wheel = new DeadlineWheel(10);
  readonly #leases: LeaseRequester;
  readonly #cancels = new Map<string, () => void>();
  readonly #tombstones = new Set<string>();

  private constructor(broker: Broker, behaviour: Behaviour) {
    this.#broker = broker;
    this.behaviour = behaviour;
    this.#leases = new LeaseRequester({ broker, runtimeId: this.id, wheel: this.#wheel });
  }

  static async start(
    server: InProcessServer,
    flavour = 'Nature',
    behaviour: Behaviour = echo,
  ): Promise<FakeRuntime> {
    const broker = server.connect();
    const runtime = new FakeRuntime(broker, behaviour);
    await broker.declare(buildSharedTopology());
    await broker.declare(buildFlavourTopology(flavour));
    await broker.declare(buildRuntimeTopology(runtime.id, [flavour]));
    await broker.consume(queues.control(runtime.id), { noAck: true }, (delivery) =>
      runtime.#control(delivery),
    );
    for (const mode of ['sync', 'async'] as const)
      await broker.consume(
        queues.execute(flavour, mode),
        { prefetch: 1 },
        (delivery) => void runtime.#run(delivery),
      );
    return runtime;
  }

  /** Says what it serves; nothing: that it goes. */
  async announce(...flavours: Announced[]): Promise<void> {
    const defaults = { name: 'Nature', isolation: 'sandbox', slots: 1, running: 0 } as const;
    const status = { runtimeId: this.id, flavours: flavours.map((one) => ({ ...defaults, ...one })) };
    const outcome = await publishRuntimeStatus(this.#broker, status, { timeoutMs: 2000 });
    if (outcome !== 'confirmed') throw new Error(`the announcement was not taken: ${outcome}`);
  }

  /** Its connection goes, and what it held with it. */
  async stop(): Promise<void> {
    this.#wheel.clear();
    await this.#broker.close();
  }

  #control(delivery: Delivery): void {
    const decoded = decodeControl(delivery);
    if (decoded.kind === 'invalid') return;
    if (decoded.value.kind === 'lease-reply') this.#leases.onReply(decoded.value);
    if (decoded.value.kind === 'status-request' && this.status.length > 0) void this.announce(...this.status);
    if (decoded.value.kind === 'cancel') {
      this.#tombstones.add(decoded.value.executionId);
      this.#cancels.get(decoded.value.executionId)?.();
    }
  }

  async #run(delivery: Delivery): Promise<void> {
    const decoded = decodeRequest(delivery);
    if (decoded.kind === 'invalid') {
      delivery.nack({ requeue: false });
      return;
    }
    const request = decoded.value;
    const attempt = await this.#mayRun(request, delivery);
    if (attempt === undefined) {
      delivery.ack();
      return;
    }
    this.seen.push(request);
    this.contents.push(delivery.content);
    await this.behaviour(this.#toCall(request, delivery, attempt));
    delivery.ack();
  }

  async #mayRun(request: ExecutionRequest, delivery: Delivery): Promise<number | undefined> {
    const call = this.#toCall(request, delivery, 1);
    if (request.mode === 'sync') {
      const lost: ExecResult = { ret_code: -1, res: '', err: 'worker-lost: it was taken before' };
      if (delivery.redelivered) await call.finish(lost, { status: 'failed', code: 'worker-lost' });
      else if (Date.now() > request.expiresAtMs) await call.finish(lost, { status: 'expired' });
      else if (!this.#tombstones.has(request.executionId)) return 1;
      return undefined;
    }
    const lease = await this.#leases.request(request.executionId, {
      redelivered: delivery.redelivered,
      timeoutMs: 1000,
    });
    if (lease.kind === 'granted') return lease.attempt;
    this.refusedLeases.push(lease.kind === 'refused' ? lease.reason : lease.kind);
    return undefined;
  }

  #toCall(request: ExecutionRequest, delivery: Delivery, attempt: number): RunningCall {
    const from = { executionId: request.executionId, attempt, runtimeId: this.id };
    const publish = async (message: Parameters<typeof encodeResult>[0]) => {
      await this.#broker.publish(encodeResult(message), { timeoutMs: 2000 });
    };
    return {
      request,
      attempt,
      delivery,
      parameters: delivery.content.length === 0 ? [] : (JSON.parse(delivery.content.toString()) as string[]),
      cancelled: new Promise((resolve) => this.#cancels.set(request.executionId, resolve)),
      started: () => publish({ kind: 'started', ...from, startedAtMs: Date.now() }),
      progress: (progressPerMille) => publish({ kind: 'progress', ...from, progressPerMille }),
      finish: (result, { status = result.ret_code === 0 ? 'succeeded' : 'failed', code, log = '' } = {}) =>
        publish({
          ...{ kind: 'finished', ...from, status, code },
          startedAtMs: Date.now(),
          finishedAtMs: Date.now(),
          result: Buffer.from(JSON.stringify(result)),
          log: Buffer.from(log),
        }),
    };
  }
}
