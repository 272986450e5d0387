import type { Language } from '@gantry/contracts';
import { fullJitterMs, type Logger, messageOf, withDeadline } from '@gantry/kernel';
import type { Isolation } from '../isolation.js';
import type { LanguageRuntime } from '../languages/language.js';
import { ExecutorProcess } from './executor-process.js';
import type { ExecutorLimits } from './protocol.js';
import type { Staging } from './staging.js';
import { Watchdog } from './watchdog.js';

/**
 * The executor processes of one supervisor.
 *
 * I1  A process is bound to its first owner and is never given to another.
 * I2  A process runs one call at a time; what is acquired is not given out again before it is released.
 * I3  At most `keptProcesses` idle processes that have an owner are kept; the least recently used goes first.
 * I4  One process without an owner is kept warm for each language, so that a new owner does not wait for a start.
 */
const readyWithinMs = 10_000;
const respawnBaseMs = 200;
const respawnMaxMs = 10_000;
/** A result of the largest size in base64, its log, and what JSON adds. */
const frameBytesFor = (limits: ExecutorLimits): number =>
  Math.ceil(limits.resultBytes * 1.4) + limits.logBytes + 1024 * 1024;

export interface PoolOptions {
  readonly languages: Readonly<Partial<Record<Language, LanguageRuntime>>>;
  readonly isolation: Isolation;
  readonly staging: Staging;
  readonly limits: ExecutorLimits;
  /** Resident memory at which a process is killed. */
  readonly residentBytes: number;
  readonly keptProcesses: number;
  readonly logger: Logger;
  /** A process ended that was not meant to. */
  readonly onLost: () => void;
}

export class ProcessPool {
  readonly #options: PoolOptions;
  readonly #all = new Set<ExecutorProcess>();
  /** Idle and owned, least recently used first (I3). */
  readonly #idle = new Set<ExecutorProcess>();
  readonly #spares = new Map<Language, ExecutorProcess>();
  readonly #watchdog: Watchdog;
  readonly #timers = new Set<NodeJS.Timeout>();
  #failures = 0;
  #isStopped: boolean = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    const { residentBytes, logger } = options;
    this.#watchdog = new Watchdog({ residentBytes, logger, processes: () => this.#all });
  }

  /** Starts the spares and waits for them. @throws {Error} when a program cannot be started, with the reason */
  async start(): Promise<void> {
    this.#watchdog.start();
    for (const language of Object.keys(this.#options.languages) as Language[]) this.#startSpare(language);
    await Promise.all([...this.#spares.values()].map((spare) => this.#untilReady(spare)));
  }

  /** A process for this owner alone, until it is released. @throws {Error} when none can be started */
  async acquire(language: Language, owner: string, functionSha256: string): Promise<ExecutorProcess> {
    const known = this.#idleOf(language, owner, functionSha256);
    if (known !== undefined) {
      this.#idle.delete(known); // I2
      return known;
    }
    const process = this.#spares.get(language) ?? this.#spawn(language);
    this.#spares.delete(language);
    process.owner = owner; // I1
    this.#startSpare(language); // I4
    await this.#untilReady(process);
    return process;
  }

  release(process: ExecutorProcess): void {
    if (process.isDead || this.#isStopped) return;
    this.#idle.add(process);
    for (const coldest of this.#idle) {
      if (this.#idle.size <= this.#options.keptProcesses) return; // I3
      this.#idle.delete(coldest);
      this.#all.delete(coldest);
      coldest.kill();
    }
  }

  /** Ends every process. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watchdog.stop();
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all([...this.#all].map((process) => process.end()));
  }

  #idleOf(language: Language, owner: string, functionSha256: string): ExecutorProcess | undefined {
    let found: ExecutorProcess | undefined;
    for (const process of this.#idle) {
      if (process.owner !== owner || process.language !== language) continue;
      found = process;
      if (process.hasRun(functionSha256)) break;
    }
    return found;
  }

  async #untilReady(process: ExecutorProcess): Promise<void> {
    try {
      await withDeadline(process.ready, readyWithinMs, 'starting an executor process');
      this.#failures = 0;
    } catch (error) {
      process.kill();
      throw error;
    }
  }

  #spawn(language: Language): ExecutorProcess {
    const { languages, staging, limits, isolation } = this.#options;
    const runtime = languages[language];
    if (runtime === undefined) throw new Error(`no runtime for language ${language}`);
    const plan = runtime.launch(staging.folder, limits, { isRestricted: isolation.isRestricted });
    const file = plan.file === process.execPath ? staging.nodeFile : plan.file;
    const started = new ExecutorProcess(
      language,
      isolation.wrap({ ...plan, file }),
      frameBytesFor(limits),
      (dead) => this.#onExit(dead),
    );
    this.#all.add(started);
    return started;
  }

  #startSpare(language: Language): void {
    if (this.#isStopped || this.#spares.has(language)) return;
    this.#spares.set(language, this.#spawn(language));
  }

  #onExit(dead: ExecutorProcess): void {
    const wasKept = this.#all.delete(dead);
    this.#idle.delete(dead);
    if (this.#isStopped || !wasKept) return;
    this.#options.onLost();
    if (this.#spares.get(dead.language) !== dead) return;
    this.#spares.delete(dead.language);
    this.#retrySpare(dead);
  }

  #retrySpare(dead: ExecutorProcess): void {
    this.#failures += 1;
    dead.ready.catch((error: unknown) =>
      this.#options.logger.error('a spare executor process ended; trying again', {
        op: 'executor.start',
        outcome: 'failed',
        reason: messageOf(error),
      }),
    );
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        this.#startSpare(dead.language);
      },
      respawnBaseMs + fullJitterMs(this.#failures, respawnBaseMs, respawnMaxMs),
    );
    this.#timers.add(timer);
  }
}
