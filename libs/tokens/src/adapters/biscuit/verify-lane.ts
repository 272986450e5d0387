/**
 * A lane of verification: one worker thread with a queue before it, and optionally a warm spare. A thread that works on
 * one token for longer than the limit is killed; the lane goes on with the spare.
 *
 * I1 At most one request is with the worker; all others wait in the queue, which is bounded in length and time.
 * I2 Every request is answered exactly once.
 * I3 A worker is killed for a token only if it was running on it: a thread that the machine did not schedule, or
 *    whose answer we were too busy to read, is no fault of the token.
 * I4 After close nothing is started.
 * I5 A thread is retired after a number of tokens: the library keeps 6 to 10 KiB of each for ever (measured). Its
 *    successor is warm before it goes.
 * I6 A thread keeps the process alive only while it starts or works.
 */
import { Worker } from 'node:worker_threads';
import { DeadlineWheel, fullJitterMs, type Logger } from '@gantry/kernel';
import {
  type VerifyOutcome,
  type VerifyRequest,
  type WorkerMessage,
  type WorkerSetup,
  workerProgress,
} from './verify-messages.js';

export type LaneAnswer =
  | VerifyOutcome
  /** The worker was killed while it ran on this token. */
  | { readonly kind: 'killed' }
  /** The queue is full, or waiting took too long. */
  | { readonly kind: 'busy' }
  | { readonly kind: 'closed' };

export interface LaneOptions {
  readonly name: string;
  /** Longest that a worker may run on one token. */
  readonly limitMs: number;
  readonly queueLimit: number;
  /** Longest that a request may wait for the worker. */
  readonly queueTimeoutMs: number;
  readonly hasSpare: boolean;
  /** Tokens after which a thread is replaced. */
  readonly retireAfter: number;
  readonly logger: Logger;
}

interface Job {
  readonly request: VerifyRequest;
  readonly resolve: (answer: LaneAnswer) => void;
  readonly leaveQueue: () => void;
}

interface Thread {
  readonly worker: Worker;
  readonly slots: Int32Array;
  isReady: boolean;
  verified: number;
}

/** A thread that was not scheduled for this many limits is replaced. */
const maxUnscheduledLimits = 8;
const respawnBaseMs = 100;
const respawnMaxMs = 5000;

export class VerifyLane {
  readonly #options: LaneOptions;
  readonly #deadlines = new DeadlineWheel(50);
  readonly #waitingForReady: (() => void)[] = [];
  readonly #queue: Job[] = [];
  #active: Thread | undefined;
  #spare: Thread | undefined;
  #running: { readonly job: Job; readonly thread: Thread; timer: NodeJS.Timeout; limits: number } | undefined;
  #failures = 0;
  #startedThreads = 0;
  #respawnTimer: NodeJS.Timeout | undefined;
  #isClosed: boolean = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#fill();
  }

  /** Answers when the worker is warm. Never fails: a thread that cannot start is tried again until close. */
  ready(): Promise<void> {
    if (this.#active?.isReady === true || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForReady.push(resolve));
  }

  /** Threads started so far. */
  get startedThreads(): number {
    return this.#startedThreads;
  }

  run(request: VerifyRequest): Promise<LaneAnswer> {
    if (this.#isClosed) return Promise.resolve({ kind: 'closed' });
    if (this.#queue.length >= this.#options.queueLimit) return Promise.resolve({ kind: 'busy' });
    return new Promise((resolve) => {
      const leaveQueue = this.#deadlines.schedule(this.#options.queueTimeoutMs, () => {
        const index = this.#queue.indexOf(job);
        if (index < 0) return;
        this.#queue.splice(index, 1);
        resolve({ kind: 'busy' });
      });
      const job: Job = { request, resolve, leaveQueue };
      this.#queue.push(job);
      this.#next();
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#respawnTimer);
    this.#deadlines.clear();
    const running = this.#running;
    this.#running = undefined;
    if (running !== undefined) {
      clearTimeout(running.timer);
      running.job.resolve({ kind: 'closed' });
    }
    for (const job of this.#queue.splice(0)) job.resolve({ kind: 'closed' });
    for (const resolve of this.#waitingForReady.splice(0)) resolve();
    const threads = [this.#active, this.#spare];
    this.#active = undefined;
    this.#spare = undefined;
    await Promise.all(threads.map((thread) => thread?.worker.terminate()));
  }

  #next(): void {
    const thread = this.#active;
    if (this.#running !== undefined || thread?.isReady !== true) return; // I1
    const job = this.#queue.shift();
    if (job === undefined) return;
    job.leaveQueue();
    Atomics.store(thread.slots, 0, workerProgress.waiting);
    thread.worker.ref(); // I6
    this.#running = { job, thread, timer: this.#armLimit(), limits: 0 };
    thread.worker.postMessage(job.request);
  }

  #armLimit(): NodeJS.Timeout {
    return setTimeout(() => this.#onLimit(), this.#options.limitMs);
  }

  #onLimit(): void {
    const running = this.#running;
    if (running === undefined) return;
    const progress = Atomics.load(running.thread.slots, 0);
    running.limits += 1;
    if (progress === workerProgress.running) {
      this.#finish({ kind: 'killed' });
      this.#replace(running.thread);
    } else if (running.limits < maxUnscheduledLimits) {
      running.timer = this.#armLimit(); // I3
    } else {
      this.#finish({ kind: 'timeout' });
      this.#replace(running.thread);
    }
  }

  /** I2: the job leaves `#running` before it is answered. */
  #finish(answer: LaneAnswer): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    clearTimeout(running.timer);
    running.thread.worker.unref(); // I6
    running.job.resolve(answer);
  }

  #onMessage(thread: Thread, message: WorkerMessage): void {
    if (message.kind === 'ready') {
      thread.isReady = true;
      thread.worker.unref(); // I6
      this.#failures = 0;
      this.#retireIfDue();
      if (thread !== this.#active) return;
      for (const resolve of this.#waitingForReady.splice(0)) resolve();
      this.#next();
    } else if (message.kind === 'failed') {
      this.#onDeath(thread, message.detail);
    } else if (this.#running?.thread === thread) {
      this.#finish(message.outcome);
      thread.verified += 1;
      if (message.isBroken) this.#replace(thread);
      else this.#retireIfDue();
      this.#next();
    }
  }

  /** I5 */
  #retireIfDue(): void {
    const thread = this.#active;
    if (thread === undefined || thread.verified < this.#options.retireAfter) return;
    this.#spare ??= this.#spawn();
    if (this.#spare.isReady && this.#running === undefined) this.#replace(thread);
  }

  /** A thread ended that we did not end: an error inside, or it could not start. */
  #onDeath(thread: Thread, detail: string): void {
    if (this.#isClosed || (thread !== this.#active && thread !== this.#spare)) return;
    this.#failures += 1;
    this.#options.logger.warn('a token verification thread ended', { lane: this.#options.name, detail });
    if (this.#running?.thread === thread) this.#finish({ kind: 'timeout' });
    this.#replace(thread);
  }

  /** Drops a thread, takes the spare in its place, and starts another in the background. */
  #replace(thread: Thread): void {
    thread.worker.terminate().catch(() => undefined);
    if (thread === this.#active) {
      this.#active = this.#spare;
      this.#spare = undefined;
    } else if (thread === this.#spare) {
      this.#spare = undefined;
    }
    if (this.#active?.isReady === true) {
      for (const resolve of this.#waitingForReady.splice(0)) resolve();
    }
    this.#fill();
    this.#next();
  }

  #fill(): void {
    if (this.#isClosed || this.#respawnTimer !== undefined) return; // I4
    if (this.#failures > 0) {
      const waitMs = respawnBaseMs + fullJitterMs(this.#failures, respawnBaseMs, respawnMaxMs);
      this.#respawnTimer = setTimeout(() => {
        this.#respawnTimer = undefined;
        this.#spawnMissing();
      }, waitMs);
      this.#respawnTimer.unref();
    } else {
      this.#spawnMissing();
    }
  }

  #spawnMissing(): void {
    if (this.#isClosed) return;
    this.#active ??= this.#spawn();
    if (this.#options.hasSpare) this.#spare ??= this.#spawn();
  }

  #spawn(): Thread {
    const progress = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const setup: WorkerSetup = { progress };
    const worker = new Worker(new URL('./verify-worker.js', import.meta.url), {
      name: `verify-${this.#options.name}`,
      workerData: setup,
      // It verifies what strangers send: it gets nothing of ours.
      env: {},
      argv: [],
    });
    const thread: Thread = { worker, slots: new Int32Array(progress), isReady: false, verified: 0 };
    this.#startedThreads += 1;
    worker.on('message', (message: WorkerMessage) => this.#onMessage(thread, message));
    worker.on('error', (error) => this.#onDeath(thread, error.message));
    worker.on('exit', () => this.#onDeath(thread, 'exit'));
    return thread;
  }
}
