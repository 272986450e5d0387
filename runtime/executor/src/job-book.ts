import { type Broker, type Delivery, decodeRequest } from '@gantry/broker';
import { type Clock, type Logger, withDeadline } from '@gantry/kernel';
import { handOn } from './hand-on.js';
import { Job } from './job.js';
import type { Lane } from './lane.js';
import { RecentIds } from './recent-ids.js';

const rememberedMs = 10 * 60_000;
const rememberedIds = 10_000;

export interface JobBookDeps {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Every execution that a runtime holds or runs, and the ones it has to remember for a while.
 *
 * I1  A message of an execution that is held or runs here is joined to it, never run beside it; the message it had
 *     before is acknowledged, or its consumer would get no other.
 * I2  What ended here is not run again for a second copy of its message.
 * I3  Once closed nothing is taken; what was held and not started is handed on.
 */
export class JobBook {
  readonly #deps: JobBookDeps;
  /** Held or running, by execution. */
  readonly #jobs = new Map<string, Job>();
  readonly #running = new Set<Job>();
  readonly #idle = new Set<() => void>();
  readonly #handingOn = new Set<Promise<void>>();
  readonly #tombstones: RecentIds;
  readonly #finished: RecentIds;
  #isClosed: boolean = false;

  constructor(deps: JobBookDeps) {
    this.#deps = deps;
    const recent = { max: rememberedIds, ttlMs: rememberedMs, clock: deps.clock };
    this.#tombstones = new RecentIds(recent);
    this.#finished = new RecentIds(recent);
  }

  get running(): number {
    return this.#running.size;
  }

  runningOf(flavour: string): number {
    let count = 0;
    for (const { request } of this.#running) if (request.flavour === flavour) count += 1;
    return count;
  }

  onDelivery(delivery: Delivery, lane: Lane): void {
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
    const { executionId } = request;
    const known = this.#jobs.get(executionId);
    if (known !== undefined) {
      // Does nothing when it was lost with its connection.
      known.delivery.ack();
      known.delivery = delivery; // I1
      return;
    }
    if (this.#finished.has(executionId)) {
      // Its result was handed on; the acknowledgement was lost, or there was a second copy.
      delivery.ack(); // I2
      return;
    }
    const job = new Job(request, delivery);
    if (this.#isClosed) {
      this.#handOn(job); // I3
      return;
    }
    if (this.#tombstones.take(executionId)) job.cancel();
    this.#jobs.set(executionId, job);
    const displaced = lane.offer(job);
    if (displaced !== undefined) this.#jobs.delete(displaced.request.executionId);
  }

  /** Keeps a job among the running ones while `execute` does; that must not reject. */
  async whileRunning(job: Job, execute: () => Promise<void>): Promise<void> {
    const { executionId, mode } = job.request;
    this.#running.add(job);
    try {
      await execute();
    } finally {
      this.#jobs.delete(executionId);
      this.#running.delete(job);
      if (mode === 'sync' && !job.isGivenBack) this.#finished.add(executionId);
      if (this.#running.size === 0) this.wakeIdle();
    }
  }

  /** Stops it, or remembers that it is not wanted. */
  cancel(executionId: string): void {
    const job = this.#jobs.get(executionId);
    if (job === undefined) this.#tombstones.add(executionId);
    else job.cancel();
  }

  /** From now on whatever comes is handed on. */
  close(): void {
    this.#isClosed = true;
  }

  /** Hands on what lanes held. */
  handOn(held: readonly Job[]): void {
    for (const job of held) {
      this.#jobs.delete(job.request.executionId);
      this.#handOn(job);
    }
  }

  #handOn(job: Job): void {
    const handing = handOn(job, this.#deps.broker).finally(() => this.#handingOn.delete(handing));
    this.#handingOn.add(handing);
  }

  /** Waits until nothing runs, `timeoutMs` at most, and until everything is handed on. */
  async untilIdle(timeoutMs: number): Promise<void> {
    if (this.#running.size > 0) {
      let wake = (): void => undefined;
      const idle = new Promise<void>((resolve) => {
        wake = resolve;
      });
      this.#idle.add(wake);
      await withDeadline(idle, timeoutMs, 'draining').catch(() => undefined);
      this.#idle.delete(wake);
    }
    await Promise.all(this.#handingOn);
  }

  /** Ends {@link untilIdle} early. */
  wakeIdle(): void {
    for (const wake of this.#idle) wake();
  }

  /** Gives up what still runs: its message goes back, whatever it comes to is not reported. */
  abandonRunning(): void {
    for (const job of this.#running) {
      job.isAbandoned = true;
      job.delivery.nack({ requeue: true });
      job.cancel();
    }
  }
}
