/**
 * The record of synchronous calls: written behind the answer, in batches, best effort. A short call costs one row; a
 * call that lasts longer than a flush is written when it waits, when it runs and when it ended.
 *
 * I1  Never in the way of a call: a slow or broken store costs records, not answers.
 * I2  Bounded: when more than `maxEnded` ended calls wait to be written, the oldest are dropped and counted.
 * I3  What is not written yet can be read here.
 */

import { emptyResultOf, type TerminalStatus } from '@gantry/contracts';
import { type Clock, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { Execution } from '@gantry/store';
import { parseResult } from './parse-result.js';
import { toQueuedExecution } from './plan-execution.js';
import type { WaitingCall, WaitingCalls } from './waiting-calls.js';

export interface Recorded {
  readonly execution: Execution;
  readonly logs: string;
}

export interface CallJournalOptions {
  readonly record: (rows: readonly Recorded[]) => Promise<void>;
  readonly waiting: WaitingCalls;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onDropped: (count: number) => void;
  readonly isEnabled: boolean;
  readonly flushMs?: number;
  readonly maxEnded?: number;
  readonly maxEndedBytes?: number;
}

/** Rows of one transaction: it must end within the deadline of the store. */
const rowsPerFlush = 2000;

export class CallJournal implements Part {
  readonly name = 'call journal';
  readonly #options: Required<CallJournalOptions>;
  readonly #ended = new Map<string, WaitingCall>();
  /** What of a call that has not ended was written already. */
  readonly #written = new WeakMap<WaitingCall, 'queued' | 'running'>();
  #endedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #failures = 0;
  #nextFlushMs = 0;

  constructor(options: CallJournalOptions) {
    this.#options = { flushMs: 200, maxEnded: 20_000, maxEndedBytes: 64 * 1024 * 1024, ...options };
  }

  start(): void {
    if (!this.#options.isEnabled) return;
    this.#timer = setInterval(() => {
      if (performance.now() >= this.#nextFlushMs) void this.flush();
    }, this.#options.flushMs);
  }

  /** Writes what is left, once. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    for (let round = 0; round < 20 && this.#ended.size > 0 && this.#failures === 0; round += 1)
      await this.flush();
  }

  /** Takes note of a settled call. One that was never published leaves a record only if it had one. */
  end(call: WaitingCall): void {
    if (!this.#options.isEnabled) return;
    if (call.settled?.kind === 'not-published' && !this.#written.has(call)) return;
    this.#ended.set(call.request.executionId, call);
    this.#endedBytes += sizeOf(call);
    if (this.#ended.size > this.#options.maxEnded || this.#endedBytes > this.#options.maxEndedBytes)
      this.#dropOldest();
  }

  /** An execution of this process that is not written yet, or is only written in an older state (I3). */
  find(executionId: string): Recorded | undefined {
    const call = this.#options.waiting.find(executionId) ?? this.#ended.get(executionId);
    return call === undefined ? undefined : toRecorded(call);
  }

  get backlog(): number {
    return this.#ended.size;
  }

  /** Writes what is due; never throws (I1). One flush at a time. */
  flush(): Promise<void> {
    return this.#flush(this.#options.flushMs);
  }

  /** Writes everything that is known now, also calls that have only begun: somebody wants to read them. */
  async flushAll(): Promise<void> {
    await this.#flushing;
    await this.#flush(0);
  }

  #flush(leastAgeMs: number): Promise<void> {
    this.#flushing ??= this.#flushOnce(leastAgeMs).finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flushOnce(leastAgeMs: number): Promise<void> {
    const ended = [...this.#ended.values()].slice(0, rowsPerFlush);
    const live = this.#dueLive(leastAgeMs);
    if (ended.length === 0 && live.length === 0) return;
    try {
      await this.#options.record([...ended, ...live].map(toRecorded));
    } catch (error) {
      this.#failures += 1;
      // A broken store is asked again after 0.4, 0.8, … 12.8 seconds.
      const pauseMs = this.#options.flushMs * 2 ** Math.min(this.#failures, 6);
      this.#nextFlushMs = performance.now() + pauseMs;
      if (this.#failures === 1)
        this.#options.logger.warn('synchronous executions cannot be recorded', { reason: messageOf(error) });
      return;
    }
    this.#failures = 0;
    for (const call of ended) this.#forget(call);
    for (const call of live) this.#written.set(call, call.isStarted ? 'running' : 'queued');
  }

  /** Calls that have lasted for so long and whose state is not written. */
  #dueLive(leastAgeMs: number): WaitingCall[] {
    if (!this.#options.isEnabled) return [];
    const beforeMs = this.#options.clock.now() - leastAgeMs;
    const due: WaitingCall[] = [];
    for (const call of this.#options.waiting.values()) {
      if (call.createdAtMs > beforeMs) continue;
      if (this.#written.get(call) !== (call.isStarted ? 'running' : 'queued')) due.push(call);
      if (due.length === rowsPerFlush) break;
    }
    return due;
  }

  // I2
  #dropOldest(): void {
    let dropped = 0;
    for (const call of this.#ended.values()) {
      if (this.#ended.size <= this.#options.maxEnded && this.#endedBytes <= this.#options.maxEndedBytes)
        break;
      this.#forget(call);
      dropped += 1;
    }
    this.#options.onDropped(dropped);
  }

  #forget(call: WaitingCall): void {
    if (this.#ended.delete(call.request.executionId)) this.#endedBytes -= sizeOf(call);
  }
}

const sizeOf = (call: WaitingCall): number =>
  call.settled?.kind === 'finished'
    ? call.settled.message.result.length + call.settled.message.log.length
    : 0;

/** The row of a call as it stands. */
function toRecorded(call: WaitingCall): Recorded {
  const { request, settled } = call;
  const base: Execution = {
    ...toQueuedExecution(request, call.createdAtMs),
    attempt: call.isStarted ? 1 : 0,
    startedAtMs: call.startedAtMs,
    runtimeId: call.runtimeId,
    progressPerMille: call.progressPerMille,
  };
  if (settled === undefined)
    return { execution: { ...base, status: call.isStarted ? 'running' : 'queued' }, logs: '' };
  const finishedAtMs = call.settledAtMs ?? call.createdAtMs;
  if (settled.kind === 'finished') {
    const { message } = settled;
    const { status, retCode, res, err } = parseResult(message);
    return {
      execution: { ...base, status, retCode, res, err, finishedAtMs },
      logs: message.log.toString('utf8'),
    };
  }
  const { status, err } = endings[settled.kind];
  return {
    execution: { ...base, status, retCode: -1, res: emptyResultOf[request.language], err, finishedAtMs },
    logs: '',
  };
}

const endings = {
  'queue-timeout': { status: 'expired', err: 'No runtime was free in time' },
  'no-runtime': { status: 'expired', err: 'The last runtime of the flavour went' },
  'not-published': { status: 'expired', err: 'The message broker did not take it' },
  'worker-lost': { status: 'failed', err: 'worker-lost: no result came within the run time' },
  cancelled: { status: 'cancelled', err: 'cancelled: on request' },
} as const satisfies Record<string, { status: TerminalStatus; err: string }>;
