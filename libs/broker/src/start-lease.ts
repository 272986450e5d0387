/**
 * The right to start an asynchronous execution, asked by runtimes and given by any frontend over the broker.
 *
 * I1  Each request ends within its time; a reply that comes later is dropped.
 * I2  A lease request is handed out at most once: a second frontend that answered it again would give the same start
 *     two attempts. When it is lost the runtime hears nothing, gives the execution back and asks again.
 * I3  What one frontend works on at once is bounded; above it the answer is `unavailable`, at once.
 */
import type { ControlMessage } from '@gantry/contracts';
import { type DeadlineWheel, type Logger, messageOf } from '@gantry/kernel';
import { decodeControl, encodeLeaseReply, encodeLeaseRequest } from './messages/control-messages.js';
import type { Broker, Consumer } from './ports.js';
import { queues } from './topology.js';

export type LeaseOutcome =
  | { readonly kind: 'granted'; readonly attempt: number }
  /** It must not run: a terminal status, `running` elsewhere, `unknown` … */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Nobody could tell; ask again later. */
  | { readonly kind: 'unavailable' };

export interface LeaseRequest {
  readonly executionId: string;
  readonly runtimeId: string;
  /** Whether the execution came to the runtime a second time. */
  readonly redelivered: boolean;
}

type LeaseReply = Extract<ControlMessage, { kind: 'lease-reply' }>;

const unavailable: LeaseOutcome = { kind: 'unavailable' };

/** The side of one runtime. Give it the lease replies that arrive on the runtime's control queue. */
export class LeaseRequester {
  readonly #broker: Broker;
  readonly #runtimeId: string;
  readonly #wheel: DeadlineWheel;
  readonly #pending = new Map<string, (outcome: LeaseOutcome) => void>();

  constructor(deps: { broker: Broker; runtimeId: string; wheel: DeadlineWheel }) {
    this.#broker = deps.broker;
    this.#runtimeId = deps.runtimeId;
    this.#wheel = deps.wheel;
  }

  /** Asks for one execution; one request per execution at a time. */
  async request(
    executionId: string,
    options: { redelivered: boolean; timeoutMs: number },
  ): Promise<LeaseOutcome> {
    const { redelivered, timeoutMs } = options;
    if (this.#pending.has(executionId)) return unavailable;
    const replied = new Promise<LeaseOutcome>((resolve) => this.#pending.set(executionId, resolve));
    const cancelDeadline = this.#wheel.schedule(timeoutMs, () => this.#end(executionId, unavailable)); // I1
    try {
      const message = encodeLeaseRequest({ executionId, runtimeId: this.#runtimeId, redelivered }, timeoutMs);
      const published = await this.#broker.publish(message, { timeoutMs });
      // `unavailable` is not the end: the confirm may be late and the reply already on its way.
      if (published === 'unroutable' || published === 'rejected') this.#end(executionId, unavailable);
      return await replied;
    } finally {
      cancelDeadline();
      this.#pending.delete(executionId);
    }
  }

  onReply(reply: LeaseReply): void {
    this.#end(reply.executionId, toOutcome(reply));
  }

  #end(executionId: string, outcome: LeaseOutcome): void {
    this.#pending.get(executionId)?.(outcome);
  }
}

/** A grant without its number would be reported as another attempt than it is: nobody can use it. */
function toOutcome(reply: LeaseReply): LeaseOutcome {
  if (reply.outcome === 'granted' && reply.attempt !== undefined)
    return { kind: 'granted', attempt: reply.attempt };
  if (reply.outcome === 'refused') return { kind: 'refused', reason: reply.reason ?? 'unknown' };
  return unavailable;
}

export interface LeaseService {
  readonly broker: Broker;
  readonly logger: Logger;
  /** Decides. When it rejects, the runtime hears `unavailable`. */
  readonly lease: (request: LeaseRequest) => Promise<LeaseOutcome>;
  /** Requests worked on at once (I3). Default 256. */
  readonly maxConcurrent?: number;
}

const replyTimeoutMs = 2000;

/** The side of one frontend: answers lease requests until the consumer is cancelled. Needs the shared topology. */
export function serveLeases(service: LeaseService): Promise<Consumer> {
  const maxConcurrent = service.maxConcurrent ?? 256;
  let running = 0;
  const answer = async (request: LeaseRequest): Promise<void> => {
    if (running >= maxConcurrent) {
      await reply(service, request, unavailable);
      return;
    }
    running += 1;
    try {
      await reply(service, request, await decide(service, request));
    } finally {
      running -= 1;
    }
  };
  // Acknowledged when sent (I2).
  return service.broker.consume(queues.leases, { noAck: true }, (delivery) => {
    const decoded = decodeControl(delivery);
    if (decoded.kind === 'ok' && decoded.value.kind === 'lease-request') {
      // Never rejects: `decide` answers for the handler, and a publish never throws.
      void answer(decoded.value);
      return;
    }
    const reason = decoded.kind === 'invalid' ? decoded.reason : `it is a ${decoded.value.kind} message`;
    service.logger.warn('a lease request cannot be read and is dropped', { op: 'lease.answer', reason });
  });
}

async function decide(service: LeaseService, request: LeaseRequest): Promise<LeaseOutcome> {
  const { executionId, runtimeId, redelivered } = request;
  try {
    return await service.lease({ executionId, runtimeId, redelivered });
  } catch (error) {
    service.logger.warn('a lease could not be decided', {
      op: 'lease.answer',
      execution_id: executionId,
      error: messageOf(error),
    });
    return unavailable;
  }
}

async function reply(service: LeaseService, request: LeaseRequest, outcome: LeaseOutcome): Promise<void> {
  const { executionId, runtimeId } = request;
  const message = encodeLeaseReply(runtimeId, {
    executionId,
    outcome: outcome.kind,
    ...(outcome.kind === 'granted' ? { attempt: outcome.attempt } : {}),
    ...(outcome.kind === 'refused' ? { reason: outcome.reason } : {}),
  });
  const published = await service.broker.publish(message, { timeoutMs: replyTimeoutMs });
  if (published === 'confirmed') return;
  service.logger.warn('a lease was decided, but the runtime cannot be told', {
    op: 'lease.answer',
    execution_id: executionId,
    outcome: published,
  });
}
