import {
  type Broker,
  buildFlavourTopology,
  buildRuntimeTopology,
  buildSharedTopology,
  type Consumer,
  type Delivery,
  queues,
  type Topology,
  type TopologyOptions,
} from '@gantry/broker';
import { executionModes } from '@gantry/contracts/execution';
import type { Clock } from '@gantry/kernel';
import type { Job } from './job.js';
import { Lane } from './lane.js';
import type { ServedFlavour } from './served-flavour.js';

const declareTimeoutMs = 3000;

export interface IntakeOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly runtimeId: string;
  readonly topology: TopologyOptions;
  /** Must not throw. */
  readonly onControl: (delivery: Delivery) => void;
  /** Must not throw. */
  readonly onDelivery: (delivery: Delivery, lane: Lane) => void;
  /** Must not reject. */
  readonly run: (job: Job) => Promise<void>;
}

/** What a runtime consumes: its control queue, and for each slot of a flavour both of the flavour's queues. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #consumers = new Map<string, Consumer>();
  #control: Consumer | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * Declares and consumes. May be called again after a failure: what is consumed already stays.
   * @throws {AppError} broker-unavailable @throws {TopologyMismatchError}
   */
  async open(flavours: readonly ServedFlavour[]): Promise<void> {
    const { broker, onControl, runtimeId } = this.#options;
    await broker.declare(this.#topologyOf(flavours.map(({ name }) => name)), { timeoutMs: declareTimeoutMs });
    this.#control ??= await broker.consume(queues.control(runtimeId), { noAck: true }, onControl);
    for (const { name, slots } of flavours)
      for (let slot = 0; slot < slots; slot += 1) await this.#openLane(name, slot);
  }

  /** Takes from the lanes what was not started, so that none of them starts it. */
  takeHeld(): Job[] {
    return [...this.#lanes.values()].flatMap((lane) => lane.takeHeld());
  }

  /** No execution is delivered any more; orders still are. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#consumers.values()].map((consumer) => consumer.cancel().catch(() => undefined)),
    );
  }

  async closeControl(): Promise<void> {
    await this.#control?.cancel().catch(() => undefined);
  }

  #topologyOf(flavours: readonly string[]): Topology {
    const { runtimeId, topology } = this.#options;
    const parts = [
      buildSharedTopology(topology),
      ...flavours.map((flavour) => buildFlavourTopology(flavour, topology)),
      buildRuntimeTopology(runtimeId, flavours),
    ];
    // In one piece: each declaration waits for the broker on its own.
    return {
      exchanges: parts.flatMap(({ exchanges }) => exchanges),
      queues: parts.flatMap((part) => part.queues),
      bindings: parts.flatMap(({ bindings }) => bindings),
    };
  }

  /** Consumes what this slot does not consume yet: an earlier attempt may have come half way. */
  async #openLane(flavour: string, slot: number): Promise<void> {
    const { broker, clock, onDelivery, run } = this.#options;
    const laneName = `${flavour}.${slot}`;
    const lane = this.#lanes.get(laneName) ?? new Lane(clock, run);
    this.#lanes.set(laneName, lane);
    for (const mode of executionModes) {
      const name = `${laneName}.${mode}`;
      if (this.#consumers.has(name)) continue;
      const take = (delivery: Delivery) => onDelivery(delivery, lane);
      this.#consumers.set(name, await broker.consume(queues.execute(flavour, mode), { prefetch: 1 }, take));
    }
  }
}
