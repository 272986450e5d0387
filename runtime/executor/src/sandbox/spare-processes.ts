import { fullJitterMs, type Logger, messageOf } from '@gantry/kernel';
import type { LanguageRuntime } from '../languages/language.js';
import type { ExecutorProcess } from './executor-process.js';
import type { Kind } from './process-spawner.js';
import type { Staging } from './staging.js';

const respawnBaseMs = 200;
const respawnMaxMs = 10_000;
/** A spare that ended after less than this counts as one that could not be started. */
const soundAfterMs = 10_000;
/** So many in a row that do not start are no accident: calls would fail as well. */
const troubleAfter = 2;

export interface SpareOptions {
  readonly staging: Pick<Staging, 'mend'>;
  readonly logger: Logger;
  readonly spawn: (runtime: LanguageRuntime) => { readonly process: ExecutorProcess; readonly kind: Kind };
}

/** Starts of one program that failed, one after the other. */
interface Failing {
  count: number;
  reason: string;
  /** That it does not start was logged. */
  isTold: boolean;
}

/**
 * The processes without an owner: one for each program.
 *
 * I1  One that ended is replaced after a pause, which grows while it happens again and again. Before, what the program
 *     is started from is put in place again if something removed it.
 * I2  The log has a line when a program does not start any more and one when it does again, whatever is tried between.
 */
export class SpareProcesses {
  readonly #options: SpareOptions;
  readonly #spares = new Map<LanguageRuntime, ExecutorProcess>();
  readonly #failing = new Map<LanguageRuntime, Failing>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isStopped: boolean = false;

  constructor(options: SpareOptions) {
    this.#options = options;
  }

  /** Starts one if there is none. Answers when it is ready. */
  start(runtime: LanguageRuntime): Promise<void> | undefined {
    if (this.#isStopped || this.#spares.has(runtime)) return undefined;
    const { process, kind } = this.#options.spawn(runtime);
    this.#spares.set(runtime, process);
    kind.inTime.then(
      () => this.wasReady(runtime),
      () => undefined, // Its exit tells.
    );
    return kind.inTime;
  }

  /** The one that can be given to an owner; it is nobody's spare any more. */
  take(runtime: LanguageRuntime): ExecutorProcess | undefined {
    const spare = this.#spares.get(runtime);
    if (spare === undefined || spare.isDead) return undefined; // What follows its death is on its way.
    this.#spares.delete(runtime);
    return spare;
  }

  /** A process of the program was ready: it can be started. */
  wasReady(runtime: LanguageRuntime): void {
    const failing = this.#failing.get(runtime);
    this.#failing.delete(runtime);
    if (failing?.isTold !== true) return;
    const fields = { op: 'executor.start', outcome: 'ok', program: runtime.name, attempts: failing.count };
    this.#options.logger.info('executor processes can be started again', fields); // I2
  }

  /** Why no process of the program can be had for now; undefined when one can. */
  troubleOf(runtime: LanguageRuntime): string | undefined {
    const failing = this.#failing.get(runtime);
    return failing === undefined || failing.count < troubleAfter ? undefined : failing.reason;
  }

  /** Replaces a spare that ended; other processes are none of its business. */
  onExit(dead: ExecutorProcess, { runtime, startedMs }: Kind): void {
    if (this.#isStopped || this.#spares.get(runtime) !== dead) return;
    this.#spares.delete(runtime);
    const wasSound = performance.now() - startedMs >= soundAfterMs && dead.wasReady;
    const failing = wasSound ? undefined : this.#failing.get(runtime);
    const reason = `${dead.wasReady ? 'ended after it was ready' : 'ended while starting'}: ${dead.endedBecause}`;
    const count = (failing?.count ?? 0) + 1;
    // That one was ready says nothing about the next.
    this.#failing.set(runtime, { count, reason, isTold: true });
    if (failing?.isTold !== true) {
      const fields = { op: 'executor.start', outcome: 'failed', program: runtime.name, reason };
      this.#options.logger.error('a spare executor process ended; trying again', fields); // I2
    }
    this.#retry(runtime, respawnBaseMs + fullJitterMs(count, respawnBaseMs, respawnMaxMs));
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** I1 */
  #retry(runtime: LanguageRuntime, pauseMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.mend().then(() => this.start(runtime)?.catch(() => undefined));
    }, pauseMs);
    this.#timers.add(timer);
  }

  /** Puts in place again what programs are started from; never rejects. */
  async mend(): Promise<void> {
    const { staging, logger } = this.#options;
    try {
      if (await staging.mend())
        logger.warn('something removed the programs of executor processes; they are in place again', {
          op: 'executor.stage',
          outcome: 'ok',
        });
    } catch (error) {
      // A full disk, for one: the next attempt to start a process comes here again.
      logger.debug('the programs of executor processes cannot be put in place', {
        op: 'executor.stage',
        outcome: 'failed',
        reason: messageOf(error),
      });
    }
  }
}
