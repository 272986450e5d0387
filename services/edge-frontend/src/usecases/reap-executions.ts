/**
 * Sees to it that everything accepted reaches an end: publishes what the broker never confirmed, requeues what was
 * lost with its runtime, ends what waited too long, and drops what is old.
 *
 * I1  Every edge frontend of a cluster reaps. Two that publish the same execution do no harm: one lease is given.
 * I2  A broker that forgets at a restart gets everything unfinished again, before anything else runs.
 * I3  One round at a time; a failing step is tried again in the next round.
 */
import type { Broker } from '@gantry/broker';
import type { Clock, Logger, Part } from '@gantry/kernel';
import { messageOf } from '@gantry/kernel';
import type { EdgeStore, Execution } from '@gantry/store';
import { toRequest } from './plan-execution.js';
import { claimCheck, publishCall, publishTimeoutMs } from './prepare-call.js';

export interface ReaperOptions {
  readonly broker: Broker;
  readonly store: EdgeStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxAttempts: number;
  readonly runGraceMs: number;
  readonly retentionMs: number;
  /** Payloads are kept at least this long after they were last put. */
  readonly payloadMs: number;
  readonly onRepublished: () => void;
  readonly roundMs?: number;
  readonly sweepMs?: number;
  readonly purgeMs?: number;
}

/** A publish under way is not a lost one: it has its own deadline. */
const unpublishedMs = publishTimeoutMs + 500;
const republishedPerRound = 200;
/** Tombstones answer 410 for as long again as results were kept, and 30 days at least. */
const leastTombstoneMs = 30 * 86_400_000;

export class Reaper implements Part {
  readonly name = 'reaper';
  readonly #options: Required<ReaperOptions>;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #nextSweepMs = 0;
  #nextPurgeMs = 0;
  #isStopped: boolean = false;

  constructor(options: ReaperOptions) {
    this.#options = { roundMs: 1000, sweepMs: 5000, purgeMs: 600_000, ...options };
  }

  /** @throws {AppError} store-unavailable */
  async start(): Promise<void> {
    if (!this.#options.broker.isDurable) await this.#requeueLost(true); // I2
    this.#timer = setInterval(() => void this.run(), this.#options.roundMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#round;
  }

  /** One round; never throws (I3). */
  run(): Promise<void> {
    this.#round ??= this.#runOnce().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #runOnce(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    await this.#try('publishing again', () => this.#republish());
    if (nowMs >= this.#nextSweepMs) {
      this.#nextSweepMs = nowMs + this.#options.sweepMs;
      await this.#try('requeueing', () => this.#requeueLost(false));
      await this.#try('expiring', () => this.#expire());
    }
    if (nowMs >= this.#nextPurgeMs) {
      this.#nextPurgeMs = nowMs + this.#options.purgeMs;
      await this.#try('purging', () => this.#purge());
    }
  }

  async #try(what: string, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#options.logger.warn(`${what} executions failed and is tried again`, { reason: messageOf(error) });
    }
  }

  async #republish(): Promise<void> {
    const { broker, clock, store } = this.#options;
    if (broker.status !== 'connected') return;
    const lost = await store.executions.listUnpublished(clock.now() - unpublishedMs, republishedPerRound);
    for (const execution of lost) {
      if (this.#isStopped) return;
      if (execution.expiresAtMs <= clock.now()) continue;
      if (!(await this.#publishAgain(execution))) return;
    }
  }

  /** False when the broker takes nothing now. */
  async #publishAgain(execution: Execution): Promise<boolean> {
    const { broker, clock, logger, onRepublished, store } = this.#options;
    const parameters = await store.executions.readParameters(execution.id);
    // Gone with a withdrawal in between.
    if (parameters === undefined) return true;
    const nowMs = clock.now();
    const prepared = await claimCheck(store.payloads, toRequest(execution), Buffer.from(parameters), nowMs);
    const outcome = await publishCall(broker, prepared, nowMs);
    if (outcome === 'confirmed') {
      await store.executions.markPublished(execution.id, clock.now());
      onRepublished();
      logger.info('an accepted execution was published again', { executionId: execution.id });
    }
    return outcome !== 'unavailable';
  }

  async #requeueLost(all: boolean): Promise<void> {
    const { clock, logger, maxAttempts, runGraceMs, store } = this.#options;
    const graceMs = runGraceMs + 10_000;
    const count = await store.executions.requeueLost({ all, graceMs, maxAttempts, nowMs: clock.now() });
    if (count > 0) logger.warn('executions were lost and wait again', { count });
  }

  async #expire(): Promise<void> {
    const { clock, logger, runGraceMs, store } = this.#options;
    const count = await store.executions.expireOverdue(clock.now(), runGraceMs + 2000);
    if (count > 0) logger.info('executions waited too long and expired', { count });
  }

  async #purge(): Promise<void> {
    const { clock, payloadMs, retentionMs, store } = this.#options;
    const nowMs = clock.now();
    const finishedBeforeMs = nowMs - retentionMs;
    const dropBeforeMs = finishedBeforeMs - Math.max(retentionMs, leastTombstoneMs);
    await store.executions.purge({ finishedBeforeMs, dropBeforeMs });
    await store.payloads.purge(nowMs - payloadMs);
  }
}
