/**
 * Synchronous calls whose caller waits here for a result.
 *
 * A call is `queued` until a runtime says that it started (or its result comes), then `running`, then settled. The
 * first settlement wins; whatever comes later for it finds nobody.
 *
 * I1  Every call is settled by its deadline: `expiresAtMs` plus a tolerance while queued, its start plus `runMs` plus
 *     a grace while running. So nothing waits for ever, whatever is lost.
 * I2  A settled call is out of the map; the map is bounded by the admission.
 * I3  One timer for all calls.
 */
import type { FinishedMessage, PublishOutcome, ResultMessage } from '@gantry/broker';
import type { ExecutionRequest } from '@gantry/contracts';
import type { Clock, DeadlineWheel } from '@gantry/kernel';

export type CallOutcome =
  | { readonly kind: 'finished'; readonly message: FinishedMessage }
  /** No runtime took it in time. */
  | { readonly kind: 'queue-timeout' }
  /** The last runtime of the flavour went while it was queued. */
  | { readonly kind: 'no-runtime' }
  /** It started, and no result came. */
  | { readonly kind: 'worker-lost' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'not-published'; readonly publish: Exclude<PublishOutcome, 'confirmed'> };

export interface WaitingCallsOptions {
  readonly clock: Clock;
  readonly wheel: DeadlineWheel;
  /** A runtime may start up to the deadline; what it then says needs some time to come here. */
  readonly queueToleranceMs: number;
  readonly runGraceMs: number;
}

export class WaitingCall {
  readonly request: ExecutionRequest;
  readonly createdAtMs: number;
  readonly outcome: Promise<CallOutcome>;
  /** Set once the call is settled. */
  settled: CallOutcome | undefined;
  settledAtMs: number | undefined;
  startedAtMs: number | undefined;
  runtimeId: string | undefined;
  progressPerMille: number | undefined;
  cancelTimer: () => void = () => undefined;
  resolve!: (outcome: CallOutcome) => void;

  constructor(request: ExecutionRequest, createdAtMs: number) {
    this.request = request;
    this.createdAtMs = createdAtMs;
    this.outcome = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  get isStarted(): boolean {
    return this.startedAtMs !== undefined;
  }
}

export class WaitingCalls {
  readonly #options: WaitingCallsOptions;
  readonly #calls = new Map<string, WaitingCall>();

  constructor(options: WaitingCallsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** From now on results of this request settle the call. */
  open(request: ExecutionRequest): WaitingCall {
    const { clock, wheel, queueToleranceMs } = this.#options;
    const call = new WaitingCall(request, clock.now());
    this.#calls.set(request.executionId, call);
    call.cancelTimer = wheel.schedule(request.queueMs + queueToleranceMs, () =>
      this.settle(call, { kind: 'queue-timeout' }),
    );
    return call;
  }

  find(executionId: string): WaitingCall | undefined {
    return this.#calls.get(executionId);
  }

  /** False when nobody waits for it (any more). */
  receive(message: ResultMessage): boolean {
    const call = this.#calls.get(message.executionId);
    if (call === undefined) return false;
    switch (message.kind) {
      case 'started':
        this.#start(call, message.runtimeId);
        this.#setStart(call, message.startedAtMs);
        break;
      case 'progress':
        this.#start(call, message.runtimeId);
        call.progressPerMille = message.progressPerMille;
        break;
      case 'finished':
        call.runtimeId = message.runtimeId;
        if (message.status !== 'expired') {
          call.startedAtMs ??= call.createdAtMs;
          this.#setStart(call, message.startedAtMs);
        }
        this.settle(call, { kind: 'finished', message });
        break;
    }
    return true;
  }

  /** False when it was settled already. */
  settle(call: WaitingCall, outcome: CallOutcome): boolean {
    if (call.settled !== undefined) return false;
    this.#calls.delete(call.request.executionId); // I2
    call.cancelTimer();
    call.settled = outcome;
    call.settledAtMs = this.#options.clock.now();
    call.resolve(outcome);
    return true;
  }

  /** The flavour has no runtime any more: nobody will take what is queued. Answers what was settled. */
  failQueued(flavour: string): readonly WaitingCall[] {
    const queued = [...this.#calls.values()].filter(
      (call) => call.request.flavour === flavour && !call.isStarted,
    );
    for (const call of queued) this.settle(call, { kind: 'no-runtime' });
    return queued;
  }

  /** Milliseconds that the oldest queued call of a flavour has waited; 0 when there is none. */
  oldestQueuedMs(flavour: string): number {
    const nowMs = this.#options.clock.now();
    // In the order of insertion: the first queued one is the oldest.
    for (const call of this.#calls.values())
      if (call.request.flavour === flavour && !call.isStarted) return nowMs - call.createdAtMs;
    return 0;
  }

  values(): IterableIterator<WaitingCall> {
    return this.#calls.values();
  }

  /**
   * When it really started: what says so comes later, and the first word of it may be a progress. Its runtime knows;
   * where clocks differ it still lies between the call and now.
   */
  #setStart(call: WaitingCall, startedAtMs: number | undefined): void {
    if (startedAtMs === undefined) return;
    call.startedAtMs = Math.min(Math.max(startedAtMs, call.createdAtMs), this.#options.clock.now());
  }

  // I1: the deadline of the queue gives way to the deadline of the run. This clock counts: the runtime's may differ.
  #start(call: WaitingCall, runtimeId: string): void {
    if (call.isStarted) return;
    call.runtimeId = runtimeId;
    call.startedAtMs = this.#options.clock.now();
    call.cancelTimer();
    call.cancelTimer = this.#options.wheel.schedule(call.request.runMs + this.#options.runGraceMs, () =>
      this.settle(call, { kind: 'worker-lost' }),
    );
  }
}
