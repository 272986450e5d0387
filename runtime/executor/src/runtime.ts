import {
  type Broker,
  buildFlavourTopology,
  buildRuntimeTopology,
  buildSharedTopology,
  type Consumer,
  type Delivery,
  decodeControl,
  decodeRequest,
  LeaseRequester,
  queues,
  type Topology,
} from '@gantry/broker';
import { executionModes, type Language } from '@gantry/contracts';
import {
  type Clock,
  DeadlineWheel,
  delay,
  fullJitterMs,
  hasCode,
  type Logger,
  messageOf,
  type Part,
  systemClock,
  withDeadline,
} from '@gantry/kernel';
import { CodeCache } from './code-cache.js';
import { type ExecuteDeps, executeJob } from './execute-job.js';
import type { IsolationLevel } from './isolation.js';
import { Job } from './job.js';
import { Lane } from './lane.js';
import { languageRuntimes } from './languages/table.js';
import { noMetrics, type PayloadSource, type RuntimeMetrics } from './ports.js';
import { RecentIds } from './recent-ids.js';
import { ResultPublisher } from './result-publisher.js';
import { defaultRuntimeOptions, type RuntimeOptions } from './runtime-options.js';
import type { ProcessPool } from './sandbox/process-pool.js';
import { type Executors, startExecutors } from './start-executors.js';

/**
 * The supervisor: takes executions of its flavours from the broker and has them run in executor processes. It alone
 * holds credentials. starting → taking → draining → stopped. What one execution goes through is in `execute-job.ts`;
 * here is what happens to the runtime as a whole, which shares its maps of jobs.
 *
 * I1  Nothing is consumed before an executor process is ready.
 * I2  A message of an execution that still runs here is joined to it, never run beside it.
 * I3  After `stop` no process of ours is left, and every message that was not finished is back in its queue.
 */

export interface RuntimeDeps {
  readonly broker: Broker;
  readonly payloads: PayloadSource;
  readonly logger: Logger;
  readonly metrics?: RuntimeMetrics;
  readonly clock?: Clock;
}

export interface Runtime extends Part {
  readonly runtimeId: string;
  readonly isolation: IsolationLevel;
  /** @throws {IsolationError} @throws {Error} when an executor process cannot be started, with the reason */
  start(): Promise<void>;
  /** Takes nothing new, waits for what runs (at most `drainMs`), gives the rest back. */
  drain(): Promise<void>;
  /** {@link drain}, then ends every process. */
  stop(): Promise<void>;
  /** Undefined when it takes executions, else why not. */
  notReady(): string | undefined;
  /** Executions that run now. */
  readonly running: number;
}

const declareTimeoutMs = 3000;
const retryStartBaseMs = 200;
const retryStartMaxMs = 5000;
const rememberedMs = 10 * 60_000;
const rememberedIds = 10_000;
const codeCacheBytes = 256 * 1024 * 1024;

class Supervisor implements Runtime {
  readonly name = 'runtime';
  readonly runtimeId: string;
  readonly isolation: IsolationLevel;
  readonly #deps: Required<RuntimeDeps>;
  readonly #options: RuntimeOptions;
  readonly #leases: LeaseRequester;
  readonly #wheel = new DeadlineWheel();
  readonly #stopped = new AbortController();
  /** Held or running, by execution. */
  readonly #jobs = new Map<string, Job>();
  readonly #running = new Set<Job>();
  readonly #idle = new Set<() => void>();
  readonly #tombstones: RecentIds;
  readonly #finished: RecentIds;
  readonly #lanes = new Map<string, Lane>();
  readonly #consumers = new Map<string, Consumer>();
  #control: Consumer | undefined;
  #executors: Executors | undefined;
  #phase: 'starting' | 'taking' | 'draining' | 'stopped' = 'starting';
  #draining: Promise<void> | undefined;

  constructor(deps: RuntimeDeps, options: RuntimeOptions) {
    this.#deps = { metrics: noMetrics, clock: systemClock, ...deps };
    this.#options = options;
    this.runtimeId = options.runtimeId;
    this.isolation = options.isolation;
    this.#leases = new LeaseRequester({
      broker: deps.broker,
      runtimeId: options.runtimeId,
      wheel: this.#wheel,
    });
    const recent = { max: rememberedIds, ttlMs: rememberedMs, clock: this.#deps.clock };
    this.#tombstones = new RecentIds(recent);
    this.#finished = new RecentIds(recent);
  }

  get running(): number {
    return this.#running.size;
  }

  notReady(): string | undefined {
    if (this.#phase !== 'taking') return `the runtime is ${this.#phase}`;
    const { status } = this.#deps.broker;
    return status === 'connected' ? undefined : `the broker is ${status}`;
  }

  async start(): Promise<void> {
    const { logger, metrics } = this.#deps;
    const onLost = () => metrics.workerRestarted();
    this.#executors = await startExecutors(this.#options, { logger, onLost }); // I1
    const execution = this.#executeDeps(this.#executors.pool);
    try {
      await this.#take(execution);
    } catch (error) {
      if (!hasCode(error, 'broker-unavailable')) throw error;
      // Not a reason not to start: it says that it is not ready and goes on trying.
      void this.#keepTrying(execution, error);
    }
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async stop(): Promise<void> {
    await this.drain();
    this.#phase = 'stopped';
    this.#wheel.clear();
    await this.#executors?.stop(); // I3
  }

  async #take(execution: ExecuteDeps): Promise<void> {
    const { broker, logger } = this.#deps;
    const { flavours, slots, topology } = this.#options;
    const parts = [
      buildSharedTopology(topology),
      ...flavours.map((flavour) => buildFlavourTopology(flavour, topology)),
      buildRuntimeTopology(this.runtimeId, flavours),
    ];
    // In one piece: each declaration waits for the broker on its own.
    const whole: Topology = {
      exchanges: parts.flatMap(({ exchanges }) => exchanges),
      queues: parts.flatMap((part) => part.queues),
      bindings: parts.flatMap(({ bindings }) => bindings),
    };
    await broker.declare(whole, { timeoutMs: declareTimeoutMs });
    const onControl = (delivery: Delivery) => this.#onControl(delivery);
    this.#control ??= await broker.consume(queues.control(this.runtimeId), { noAck: true }, onControl);
    for (const flavour of flavours) {
      for (let slot = 0; slot < slots; slot += 1) await this.#startLane(flavour, slot, execution);
    }
    if (this.#phase !== 'starting') return;
    this.#phase = 'taking';
    const { runtimeId, isolation } = this;
    logger.info('runtime takes executions', {
      op: 'runtime.start',
      runtime_id: runtimeId,
      flavours,
      slots,
      isolation,
      broker: broker.status,
    });
  }

  async #keepTrying(execution: ExecuteDeps, first: unknown): Promise<void> {
    let error = first;
    for (let attempt = 0; this.#phase === 'starting'; attempt += 1) {
      this.#deps.logger.warn('the broker is not there yet', {
        op: 'runtime.start',
        reason: messageOf(error),
      });
      const pauseMs = retryStartBaseMs + fullJitterMs(attempt, retryStartBaseMs, retryStartMaxMs);
      await delay(pauseMs, this.#stopped.signal).catch(() => undefined);
      if (this.#phase !== 'starting') return;
      try {
        await this.#take(execution);
        return;
      } catch (again) {
        error = again;
      }
    }
  }

  #executeDeps(pool: ProcessPool): ExecuteDeps {
    const { broker, payloads, clock, logger, metrics } = this.#deps;
    return {
      runtimeId: this.runtimeId,
      languages: new Set(Object.keys(languageRuntimes) as Language[]),
      pool,
      codes: new CodeCache(payloads, codeCacheBytes),
      payloads,
      leases: this.#leases,
      results: new ResultPublisher({ broker, clock, logger }),
      wheel: this.#wheel,
      clock,
      logger,
      metrics,
      clockToleranceMs: this.#options.clockToleranceMs,
      stopped: this.#stopped.signal,
    };
  }

  /** Consumes what this slot does not consume yet: an earlier attempt may have come half way. */
  async #startLane(flavour: string, slot: number, execution: ExecuteDeps): Promise<void> {
    const laneName = `${flavour}.${slot}`;
    const lane = this.#lanes.get(laneName) ?? new Lane(this.#deps.clock, (job) => this.#run(job, execution));
    this.#lanes.set(laneName, lane);
    for (const mode of executionModes) {
      const name = `${laneName}.${mode}`;
      if (this.#consumers.has(name)) continue;
      const onDelivery = (delivery: Delivery) => this.#onDelivery(delivery, lane);
      const queue = queues.execute(flavour, mode);
      this.#consumers.set(name, await this.#deps.broker.consume(queue, { prefetch: 1 }, onDelivery));
    }
  }

  #onDelivery(delivery: Delivery, lane: Lane): void {
    const decoded = decodeRequest(delivery);
    if (decoded.kind === 'invalid') {
      this.#deps.logger.warn('a message cannot be read and is put aside', {
        op: 'execution.take',
        outcome: 'dead-lettered',
        reason: decoded.reason,
      });
      delivery.nack({ requeue: false });
      return;
    }
    const request = decoded.value;
    const known = this.#jobs.get(request.executionId);
    if (known !== undefined) {
      known.delivery = delivery; // I2
      return;
    }
    if (delivery.redelivered && this.#finished.has(request.executionId)) {
      // Its result was handed on; only the acknowledgement was lost.
      delivery.ack();
      return;
    }
    if (this.#phase === 'draining' || this.#phase === 'stopped') {
      delivery.nack({ requeue: true });
      return;
    }
    const job = new Job(request, delivery);
    if (this.#tombstones.take(request.executionId)) job.cancel();
    this.#jobs.set(request.executionId, job);
    const displaced = lane.offer(job);
    if (displaced !== undefined) this.#jobs.delete(displaced.request.executionId);
  }

  async #run(job: Job, execution: ExecuteDeps): Promise<void> {
    const { executionId } = job.request;
    this.#running.add(job);
    try {
      await executeJob(job, execution);
    } finally {
      this.#jobs.delete(executionId);
      this.#running.delete(job);
      if (job.request.mode === 'sync' && !job.isGivenBack) this.#finished.add(executionId);
      if (this.#running.size === 0) for (const wake of this.#idle) wake();
    }
  }

  #onControl(delivery: Delivery): void {
    const decoded = decodeControl(delivery);
    if (decoded.kind === 'invalid') {
      this.#deps.logger.warn('a control message cannot be read', {
        op: 'runtime.control',
        reason: decoded.reason,
      });
      return;
    }
    const message = decoded.value;
    if (message.kind === 'lease-reply') this.#leases.onReply(message);
    else if (message.kind === 'drain') void this.drain();
    else if (message.kind === 'cancel') this.#cancel(message.executionId);
  }

  #cancel(executionId: string): void {
    const job = this.#jobs.get(executionId);
    if (job === undefined) this.#tombstones.add(executionId);
    else job.cancel();
  }

  async #drain(): Promise<void> {
    this.#phase = 'draining';
    // Taken from the lanes at once, so that none of them starts; given back only when no consumer of ours is left that
    // the broker could deliver them to again.
    const held = [...this.#lanes.values()].flatMap((lane) => lane.takeHeld());
    await Promise.all(
      [...this.#consumers.values()].map((consumer) => consumer.cancel().catch(() => undefined)),
    );
    for (const job of held) {
      this.#jobs.delete(job.request.executionId);
      job.delivery.nack({ requeue: true });
    }
    await this.#untilIdle();
    this.#stopped.abort();
    for (const job of this.#running) {
      job.isAbandoned = true;
      job.delivery.nack({ requeue: true }); // I3
      job.cancel();
    }
    // Cancellations and leases were still needed while executions ran.
    await this.#control?.cancel().catch(() => undefined);
  }

  async #untilIdle(): Promise<void> {
    if (this.#running.size === 0) return;
    let wake = (): void => undefined;
    const idle = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#idle.add(wake);
    await withDeadline(idle, this.#options.drainMs, 'draining').catch(() => undefined);
    this.#idle.delete(wake);
  }
}

/** The part that runs functions of the given flavours. Options left out are {@link defaultRuntimeOptions}. */
export function createRuntime(
  deps: RuntimeDeps,
  options: Pick<RuntimeOptions, 'runtimeId' | 'flavours'> & Partial<RuntimeOptions>,
): Runtime {
  return new Supervisor(deps, { ...defaultRuntimeOptions, ...options });
}
