import { type Broker, type Delivery, decodeControl, LeaseRequester } from '@gantry/broker';
import { type IsolationLevel, isolationLevels } from '@gantry/contracts/execution';
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
} from '@gantry/kernel';
import { Announcer } from './announcer.js';
import { CodeCache } from './code-cache.js';
import type { ExecuteDeps } from './execute-deps.js';
import { executeJob } from './execute-job.js';
import { Intake } from './intake.js';
import { JobBook } from './job-book.js';
import { noMetrics, type PayloadSource, type RuntimeMetrics } from './ports.js';
import { ResultPublisher } from './result-publisher.js';
import { defaultRuntimeOptions, type RuntimeOptions } from './runtime-options.js';
import { type Executors, type Isolations, logServed } from './start-executors.js';
import { beginExecutors, type StartingExecutors } from './starting-executors.js';

/**
 * The supervisor: takes executions of its flavours from the broker and has them run in executor processes. It alone
 * holds credentials. starting → taking → draining → stopped. What one execution goes through is in `execute-job.ts`,
 * which of them are here in `job-book.ts`.
 *
 * I1  Nothing is consumed before an executor process is ready, and before code can be had.
 * I2  After `stop` no process of ours is left, and every message that was not finished is back in its queue: one that
 *     was never started in such a way that another runtime runs it.
 */

export interface RuntimeDeps {
  readonly broker: Broker;
  readonly payloads: PayloadSource;
  readonly logger: Logger;
  readonly metrics?: RuntimeMetrics;
  readonly clock?: Clock;
  /** Levels that were resolved before, by `resolveIsolations` with the same options. */
  readonly isolations?: Isolations | undefined;
  /** Executors that start already, with the same options. From `start` on they are the runtime's to stop. */
  readonly starting?: StartingExecutors | undefined;
}

type OptionalDeps = 'isolations' | 'starting';
type RuntimePhase = 'starting' | 'taking' | 'draining' | 'stopped';

export interface Runtime extends Part {
  readonly runtimeId: string;
  /** The weakest level of its flavours; undefined until its executor processes are up. */
  readonly isolation: IsolationLevel | undefined;
  /** @throws {IsolationError} @throws {Error} when an executor process cannot be started, with the reason */
  start(): Promise<void>;
  /** Takes nothing new, waits for what runs (`drainMs` unless `timeoutMs` says otherwise), gives the rest back. */
  drain(options?: { timeoutMs?: number }): Promise<void>;
  /** {@link drain}, then ends every process. A drain under way gets `drainMs` from now at most. */
  stop(): Promise<void>;
  readonly phase: RuntimePhase;
  /** Undefined when it takes executions, else why not. */
  notReady(): string | undefined;
  /** Executions that run now. */
  readonly running: number;
}

const retryStartBaseMs = 200;
const retryStartMaxMs = 5000;
const checkTimeoutMs = 5000;
const codeCacheBytes = 256 * 1024 * 1024;

/** What there is once executor processes are up. */
interface Started {
  readonly executors: Executors;
  readonly announcer: Announcer;
  readonly intake: Intake;
}

class Supervisor implements Runtime {
  readonly name = 'runtime';
  readonly runtimeId: string;
  readonly #deps: Required<Omit<RuntimeDeps, OptionalDeps>> & Pick<RuntimeDeps, OptionalDeps>;
  readonly #options: RuntimeOptions;
  readonly #leases: LeaseRequester;
  readonly #wheel = new DeadlineWheel();
  readonly #stopped = new AbortController();
  readonly #jobs: JobBook;
  #started: Started | undefined;
  #phase: RuntimePhase = 'starting';
  #draining: Promise<void> | undefined;
  /** Why it does not take executions yet. */
  #waitsFor: string | undefined;

  constructor(deps: RuntimeDeps, options: RuntimeOptions) {
    this.#deps = { metrics: noMetrics, clock: systemClock, ...deps };
    this.#options = options;
    this.runtimeId = options.runtimeId;
    this.#leases = new LeaseRequester({
      broker: deps.broker,
      runtimeId: options.runtimeId,
      wheel: this.#wheel,
    });
    this.#jobs = new JobBook(this.#deps);
  }

  get running(): number {
    return this.#jobs.running;
  }

  get phase(): RuntimePhase {
    return this.#phase;
  }

  get isolation(): IsolationLevel | undefined {
    const flavours = [...(this.#started?.executors.flavours.values() ?? [])];
    return isolationLevels.find((level) => flavours.some(({ isolation }) => isolation.level === level));
  }

  notReady(): string | undefined {
    if (this.#phase === 'starting' && this.#waitsFor !== undefined) return this.#waitsFor;
    if (this.#phase !== 'taking') return `the runtime is ${this.#phase}`;
    const { status } = this.#deps.broker;
    return status === 'connected' ? this.#trouble() : `the broker is ${status}`;
  }

  /** Why functions of some flavour cannot be run now. */
  #trouble(): string | undefined {
    for (const { flavour, pool } of this.#started?.executors.flavours.values() ?? []) {
      const reason = pool.trouble();
      if (reason !== undefined) return `no executor process of ${flavour.name} can be started: ${reason}`;
    }
    return undefined;
  }

  async start(): Promise<void> {
    const { broker, isolations, logger, metrics } = this.#deps;
    const starting = this.#deps.starting ?? beginExecutors(this.#options, isolations);
    starting.listen({ logger, onLost: () => metrics.workerRestarted() });
    // Asked while the executor processes start; what it says is heard afterwards.
    const checked = this.#checkPayloads();
    checked.catch(() => undefined);
    const executors = await starting.executors; // I1
    const announcer = new Announcer({
      ...{ broker, logger, runtimeId: this.runtimeId, executors },
      runningOf: (flavour) => this.#jobs.runningOf(flavour),
      everyMs: this.#options.announceMs,
    });
    this.#started = { executors, announcer, intake: this.#intakeOf(executors) };
    try {
      await checked; // I1
      await this.#take(this.#started);
    } catch (error) {
      if (!hasCode(error, 'broker-unavailable') && !hasCode(error, 'edge-overloaded')) {
        await executors.stop(); // I2
        throw error;
      }
      // Not a reason not to start: it says that it is not ready and goes on trying.
      void this.#keepTrying(this.#started, error);
    }
  }

  drain({ timeoutMs = this.#options.drainMs }: { timeoutMs?: number } = {}): Promise<void> {
    this.#draining ??= this.#drain(timeoutMs);
    return this.#draining;
  }

  async stop(): Promise<void> {
    const hurry = setTimeout(() => this.#jobs.wakeIdle(), this.#options.drainMs);
    await this.drain();
    clearTimeout(hurry);
    this.#phase = 'stopped';
    this.#wheel.clear();
    await this.#started?.executors.stop(); // I2
  }

  #intakeOf(executors: Executors): Intake {
    const { broker, clock } = this.#deps;
    const { topology } = this.#options;
    const execution = this.#executeDeps(executors);
    return new Intake({
      ...{ broker, clock, topology, runtimeId: this.runtimeId },
      onControl: (delivery) => this.#onControl(delivery),
      onDelivery: (delivery, lane) => this.#jobs.onDelivery(delivery, lane),
      run: (job) => this.#jobs.whileRunning(job, () => executeJob(job, execution)),
    });
  }

  async #take({ announcer, executors, intake }: Started): Promise<void> {
    await intake.open([...executors.flavours.values()].map(({ flavour }) => flavour));
    if (this.#phase !== 'starting') return;
    this.#phase = 'taking';
    announcer.start();
    const { broker, logger } = this.#deps;
    logServed(executors, logger, { runtime_id: this.runtimeId, broker: broker.status });
  }

  async #keepTrying(started: Started, first: unknown): Promise<void> {
    let error = first;
    for (let attempt = 0; this.#phase === 'starting'; attempt += 1) {
      this.#waitsFor = messageOf(error);
      this.#deps.logger.warn('the runtime cannot take executions yet', {
        op: 'runtime.start',
        reason: this.#waitsFor,
      });
      const pauseMs = retryStartBaseMs + fullJitterMs(attempt, retryStartBaseMs, retryStartMaxMs);
      await delay(pauseMs, this.#stopped.signal).catch(() => undefined);
      if (this.#phase !== 'starting') return;
      try {
        await this.#checkPayloads(); // I1
        await this.#take(started);
        return;
      } catch (again) {
        error = again;
      }
    }
  }

  async #checkPayloads(): Promise<void> {
    const { payloads } = this.#deps;
    await payloads.check?.({ timeoutMs: checkTimeoutMs, signal: this.#stopped.signal });
  }

  #executeDeps(executors: Executors): ExecuteDeps {
    const { broker, payloads, clock, logger, metrics } = this.#deps;
    return {
      runtimeId: this.runtimeId,
      executors,
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
    else if (message.kind === 'cancel') this.#jobs.cancel(message.executionId);
    else if (message.kind === 'status-request' && this.#phase === 'taking')
      this.#started?.announcer.announce();
  }

  async #drain(timeoutMs: number): Promise<void> {
    this.#phase = 'draining';
    this.#jobs.close();
    // Taken from the lanes at once, so that none of them starts; handed on only when no consumer of ours is left that
    // the broker could deliver them to again.
    const held = this.#started?.intake.takeHeld() ?? [];
    await this.#started?.announcer.stop();
    await this.#started?.intake.close();
    this.#jobs.handOn(held);
    await this.#jobs.untilIdle(timeoutMs);
    this.#stopped.abort();
    this.#jobs.abandonRunning(); // I2
    // Cancellations and leases were still needed while executions ran.
    await this.#started?.intake.closeControl();
  }
}

/** The part that runs functions of the given flavours. Options left out are {@link defaultRuntimeOptions}. */
export function createRuntime(
  deps: RuntimeDeps,
  options: Pick<RuntimeOptions, 'runtimeId' | 'flavours'> & Partial<RuntimeOptions>,
): Runtime {
  return new Supervisor(deps, { ...defaultRuntimeOptions, ...options });
}
