import { AppError, type Clock, isDeadlineError, messageOf, systemClock } from '@gantry/kernel';
import type { FleetMember, RuntimeFleet, RuntimeScaler } from '../ports.js';

/**
 * Scales a fleet of runtimes.
 *
 * I1  One scaling of a flavour at a time: a second one is refused.
 * I2  There are never more than `maxRuntimes` of a flavour, those that drain included.
 * I3  One starts after the other: starts side by side on a small machine make each other late.
 */
export class FleetScaler implements RuntimeScaler {
  readonly #fleet: RuntimeFleet;
  readonly #clock: Clock;
  readonly #scaling = new Set<string>();

  constructor(fleet: RuntimeFleet, clock: Clock = systemClock) {
    this.#fleet = fleet;
    this.#clock = clock;
  }

  get maxRuntimes(): number {
    return this.#fleet.maxRuntimes;
  }

  async countOf(flavour: string): Promise<number> {
    return counted(await this.#fleet.list(flavour)).length;
  }

  async scaleTo(
    flavour: string,
    count: number,
    { timeoutMs }: { readonly timeoutMs: number },
  ): Promise<void> {
    if (count < 1 || count > this.maxRuntimes)
      throw new AppError('invalid-request', `"${flavour}" can have 1 to ${this.maxRuntimes} runtimes here`);
    if (this.#scaling.has(flavour)) {
      throw new AppError('scaling-in-progress', `The flavour "${flavour}" is being scaled already`); // I1
    }
    this.#scaling.add(flavour);
    try {
      const release = this.#fleet.claim?.(flavour);
      try {
        await this.#scale(flavour, count, this.#clock.monotonicMs() + timeoutMs);
      } finally {
        release?.();
      }
    } finally {
      this.#scaling.delete(flavour);
    }
  }

  async #scale(flavour: string, count: number, endMs: number): Promise<void> {
    const members = await this.#fleet.list(flavour);
    const present = counted(members);
    if (present.length < count) await this.#grow(flavour, { count, present, members, endMs });
    else await this.#shrink(flavour, present.slice(count), endMs);
  }

  async #grow(
    flavour: string,
    at: { count: number; present: readonly FleetMember[]; members: readonly FleetMember[]; endMs: number },
  ): Promise<void> {
    const { count, present, members, endMs } = at;
    const draining = members.length - present.length;
    if (count + draining > this.maxRuntimes) {
      const text = `${draining} runtimes of "${flavour}" still drain, and ${this.maxRuntimes} are the most there may be`;
      throw new AppError('scaling-failed', `${text}; try again when they have ended`); // I2
    }
    for (let running = present.length; running < count; running += 1) {
      try {
        await this.#fleet.start(flavour, { timeoutMs: this.#restMs(endMs) }); // I3
      } catch (error) {
        const code = isDeadlineError(error) ? 'scaling-timeout' : 'scaling-failed';
        const detail = `"${flavour}" has ${running} of ${count} runtimes: ${messageOf(error)}`;
        throw new AppError(code, detail, { cause: error });
      }
    }
  }

  async #shrink(flavour: string, excess: readonly FleetMember[], endMs: number): Promise<void> {
    const ended = await Promise.all(
      excess.map(({ id }) => this.#fleet.drain(flavour, id, { timeoutMs: this.#restMs(endMs) })),
    );
    const left = ended.filter((hasEnded) => !hasEnded).length;
    if (left === 0) return;
    const text = `${left} of ${excess.length} runtimes of "${flavour}" still run an execution`;
    throw new AppError('scaling-timeout', `${text}; they take nothing new and end by themselves`);
  }

  #restMs(endMs: number): number {
    return Math.max(1, endMs - this.#clock.monotonicMs());
  }
}

const counted = (members: readonly FleetMember[]): readonly FleetMember[] =>
  members.filter(({ isDraining }) => !isDraining);
