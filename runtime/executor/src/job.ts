import type { Delivery } from '@gantry/broker';
import type { ExecutionRequest } from '@gantry/contracts/execution';

/** One execution that a runtime took on. Its phase says what can still be done about it. */
export class Job {
  readonly request: ExecutionRequest;
  /** The delivery to acknowledge; a later one of the same message after a reconnect. */
  delivery: Delivery;
  /** Of the first delivery: a message that comes again while it is held here was never started. */
  readonly wasRedelivered: boolean;
  isCancelled: boolean = false;
  /** The runtime gave up on it (it stops); whatever still comes is not reported. */
  isAbandoned: boolean = false;
  /** Its message is back in the queue. */
  isGivenBack: boolean = false;
  #abort: (() => void) | undefined;

  constructor(request: ExecutionRequest, delivery: Delivery) {
    this.request = request;
    this.delivery = delivery;
    this.wasRedelivered = delivery.redelivered;
  }

  /** While it runs: how to stop it. */
  whileRunning(abort: (() => void) | undefined): void {
    this.#abort = abort;
    if (abort !== undefined && this.isCancelled) abort();
  }

  cancel(): void {
    this.isCancelled = true;
    this.#abort?.();
  }
}
