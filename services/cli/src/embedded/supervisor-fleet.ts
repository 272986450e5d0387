/**
 * More runtimes inside the process of the embedded platform, beside the one that it always has.
 *
 * I1  The first runtime is listed and never ended: what is asked for is 1 or more.
 * I2  One that drains may take as long as the longest run; when the platform stops it gets what every part gets.
 */
import type { FleetMember, RuntimeFleet } from '@gantry/edge-frontend';
import type { Runtime } from '@gantry/executor';
import { type Clock, DeadlineError, delay, isDeadlineError, systemClock, withDeadline } from '@gantry/kernel';

/** A runtime that was made for this fleet, with what it alone stands on. */
export interface FleetRuntime {
  readonly runtime: Pick<Runtime, 'runtimeId' | 'start' | 'drain' | 'stop' | 'notReady'>;
  /** Closes its connection to the broker. */
  close(): Promise<void>;
}

export interface SupervisorFleetOptions {
  readonly maxRuntimes: number;
  /** Makes one and does not start it. */
  readonly make: (flavour: string) => Promise<FleetRuntime>;
  /** Longest time that what runs may go on when one is drained. */
  readonly drainMs: number;
  readonly clock?: Clock;
}

interface Member extends FleetRuntime {
  readonly flavour: string;
  readonly started: Promise<void>;
  ending: Promise<void> | undefined;
}

const pollMs = 20;

export class SupervisorFleet implements RuntimeFleet {
  readonly #options: SupervisorFleetOptions;
  readonly #clock: Clock;
  readonly #members = new Set<Member>();

  constructor(options: SupervisorFleetOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get maxRuntimes(): number {
    return this.#options.maxRuntimes;
  }

  async list(flavour: string): Promise<readonly FleetMember[]> {
    const further = [...this.#members]
      .filter((member) => member.flavour === flavour)
      .map(({ runtime, ending }) => ({ id: runtime.runtimeId, isDraining: ending !== undefined }));
    return [{ id: 'first', isDraining: false }, ...further]; // I1
  }

  async start(flavour: string, { timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    const made = await this.#options.make(flavour);
    const member: Member = { ...made, flavour, started: made.runtime.start(), ending: undefined };
    this.#members.add(member);
    try {
      await withDeadline(member.started, timeoutMs, 'starting a runtime');
      await this.#untilTaking(member, endMs, timeoutMs);
    } catch (error) {
      member.ending = this.#end(member);
      // A start that takes too long is not waited for.
      if (isDeadlineError(error)) member.ending.catch(() => undefined);
      else await member.ending;
      throw error;
    }
  }

  async drain(_flavour: string, id: string, { timeoutMs }: { readonly timeoutMs: number }): Promise<boolean> {
    const member = [...this.#members].find(({ runtime }) => runtime.runtimeId === id);
    if (member === undefined) return true;
    member.ending ??= this.#drainAndEnd(member);
    try {
      await withDeadline(member.ending, timeoutMs, 'draining a runtime');
      return true;
    } catch (error) {
      if (isDeadlineError(error)) return false;
      throw error;
    }
  }

  /** Ends all of them at once, with the platform (I2). */
  async stop(): Promise<void> {
    await Promise.all([...this.#members].map((member) => this.#end(member)));
  }

  async #untilTaking({ runtime }: Member, endMs: number, timeoutMs: number): Promise<void> {
    while (runtime.notReady() !== undefined) {
      if (this.#clock.monotonicMs() > endMs)
        throw new DeadlineError(`starting a runtime (${runtime.notReady()})`, timeoutMs);
      await delay(pollMs);
    }
  }

  async #drainAndEnd(member: Member): Promise<void> {
    await member.runtime.drain({ timeoutMs: this.#options.drainMs });
    await this.#end(member);
  }

  /** A start that is under way cannot be broken off: what it starts is ended after it. */
  async #end(member: Member): Promise<void> {
    await member.started.catch(() => undefined);
    try {
      await member.runtime.stop();
      await member.close();
    } finally {
      this.#members.delete(member);
    }
  }
}
