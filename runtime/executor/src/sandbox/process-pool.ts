import type { Language } from '@gantry/contracts';
import { fullJitterMs, type Logger, messageOf, withDeadline } from '@gantry/kernel';
import type { Isolation, Launch } from '../isolation/isolation.js';
import type { LanguageRuntime, LaunchOptions } from '../languages/language.js';
import { runtimeOf } from '../languages/table.js';
import { ExecutorProcess } from './executor-process.js';
import { KeptProcesses } from './kept-processes.js';
import type { ExecutorLimits, ProcessShape } from './protocol.js';
import type { Staging } from './staging.js';
import { Watchdog } from './watchdog.js';

/**
 * The executor processes of one flavour.
 *
 * I1  A process is bound to its first owner and is never given to another.
 * I2  A process runs one call at a time; what is acquired is not given out again before it is released.
 * I3  Idle processes that have an owner are kept, a bounded number in bounded memory (`kept-processes.ts`).
 * I4  One process without an owner, of the flavour's own shape, is kept warm for each program.
 * I5  Where a program cannot keep two functions apart, a process runs only the first it was given.
 * I6  A process of one shape is never given to a call of another.
 * I7  Where a fresh realm takes a process, that process runs one call and ends.
 * I8  A process that is not ready in time is ended, whether somebody waits for it or not.
 */
const defaultReadyWithinMs = 10_000;
const respawnBaseMs = 200;
const respawnMaxMs = 10_000;
/** A spare that ended after less than this counts as one that could not be started. */
const soundAfterMs = 10_000;

export interface PoolOptions {
  /** The programs that can run on this machine; more may come with {@link ProcessPool.add}. */
  readonly runtimes: readonly LanguageRuntime[];
  readonly settings: Omit<LaunchOptions, 'isRestricted'>;
  readonly isolation: Isolation;
  readonly staging: Staging;
  /** What the flavour allows; its shape is that of the spares. */
  readonly limits: ExecutorLimits;
  /** How long a process may take to start. */
  readonly readyWithinMs?: number;
  /** Resident memory at which a process of a shape is killed. */
  readonly residentMiBOf: (shape: ProcessShape) => number;
  readonly keptProcesses: number;
  /** Resident memory of all idle processes together. */
  readonly keptBytes: number;
  /** Added to the niceness of the supervisor; 0 to 19. */
  readonly niceness?: number;
  readonly logger: Logger;
  /** A process ended that was not meant to. */
  readonly onLost: () => void;
}

/** What a call needs of its process. */
export interface ProcessNeed {
  readonly language: Language;
  readonly owner: string;
  readonly functionSha256: string;
  /** The flavour's own unless given. */
  readonly shape?: ProcessShape | undefined;
  readonly isFresh?: boolean;
}

/** What a process is, beyond what it knows itself. */
interface Kind {
  readonly runtime: LanguageRuntime;
  readonly shape: ProcessShape;
  readonly residentMiB: number;
  readonly startedMs: number;
  /** Rejects when it is not ready in time (I8). */
  readonly inTime: Promise<void>;
  /** I7 */
  isForOneCall: boolean;
}

const isSame = (a: ProcessShape, b: ProcessShape): boolean =>
  a.memoryMiB === b.memoryMiB && a.scratchMiB === b.scratchMiB;

export class ProcessPool {
  readonly #options: PoolOptions;
  readonly #runtimes: LanguageRuntime[];
  readonly #all = new Map<ExecutorProcess, Kind>();
  readonly #idle: KeptProcesses;
  readonly #spares = new Map<LanguageRuntime, ExecutorProcess>();
  readonly #watchdog: Watchdog<ExecutorProcess>;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Spares that failed one after the other. */
  readonly #failures = new Map<LanguageRuntime, number>();
  #isStopped: boolean = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#runtimes = [...options.runtimes];
    this.#idle = new KeptProcesses({ max: options.keptProcesses, maxBytes: options.keptBytes });
    this.#watchdog = new Watchdog({
      residentBytesOf: (process) => (this.#all.get(process)?.residentMiB ?? 0) * 1024 ** 2,
      scratchBytesOf: (process) => (this.#all.get(process)?.shape.scratchMiB ?? 0) * 1024 ** 2,
      logger: options.logger,
      processes: () => this.#all.keys(),
    });
  }

  /** Starts the spares and waits for them. @throws {Error} when a program cannot be started, with the reason */
  async start(): Promise<void> {
    this.#watchdog.start();
    for (const runtime of this.#runtimes) this.#startSpare(runtime);
    await Promise.all([...this.#spares.values()].map((spare) => this.#all.get(spare)?.inTime));
  }

  /** A program that can run from now on: what it lacked was installed. */
  add(runtime: LanguageRuntime): void {
    if (this.#runtimes.includes(runtime)) return;
    this.#runtimes.push(runtime);
    this.#startSpare(runtime);
  }

  /** A process for this owner alone, until it is released. @throws {Error} when none can be started */
  async acquire(need: ProcessNeed): Promise<ExecutorProcess> {
    const { language, owner, functionSha256, shape = this.#options.limits } = need;
    const runtime = runtimeOf(language, this.#runtimes);
    if (runtime === undefined) throw new Error(`no program for language ${language}`);
    const isForOneCall = need.isFresh === true && runtime.freshRealm === 'process';
    const known = isForOneCall ? undefined : this.#idleOf(runtime, shape, owner, functionSha256);
    if (known !== undefined) {
      this.#idle.delete(known); // I2
      return known;
    }
    const take = () => this.#take(runtime, shape, need, isForOneCall);
    // One that hangs or dies while it starts says little about the next.
    const process = await take().catch(take);
    this.#failures.delete(runtime);
    return process;
  }

  /** A process that nobody has yet, once it is ready. */
  async #take(
    runtime: LanguageRuntime,
    shape: ProcessShape,
    { owner, functionSha256 }: ProcessNeed,
    isForOneCall: boolean,
  ): Promise<ExecutorProcess> {
    if (this.#isStopped) throw new Error('the processes are being ended');
    const process = this.#takeSpare(runtime, shape) ?? this.#spawn(runtime, shape);
    process.owner = owner; // I1
    if (runtime.functionsPerProcess === 'one') process.onlyFunction = functionSha256; // I5
    const kind = this.#all.get(process);
    if (kind !== undefined) kind.isForOneCall = isForOneCall;
    this.#startSpare(runtime); // I4
    await kind?.inTime;
    return process;
  }

  release(process: ExecutorProcess): void {
    if (process.isDead || this.#isStopped) return;
    if (this.#all.get(process)?.isForOneCall === true) {
      this.#discard(process); // I7
      return;
    }
    for (const surplus of this.#idle.add(process)) this.#discard(surplus); // I3
  }

  /** Ends every process; one that does not end in time is left to the kernel and logged. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watchdog.stop();
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all([...this.#all.keys()].map((process) => this.#end(process)));
  }

  async #end(process: ExecutorProcess): Promise<void> {
    try {
      await process.end();
    } catch (error) {
      this.#options.logger.error('an executor process could not be ended', {
        op: 'executor.stop',
        outcome: 'failed',
        pid: process.pid,
        reason: messageOf(error),
      });
    }
  }

  #idleOf(
    runtime: LanguageRuntime,
    shape: ProcessShape,
    owner: string,
    functionSha256: string,
  ): ExecutorProcess | undefined {
    let found: ExecutorProcess | undefined;
    for (const process of this.#idle) {
      if (process.isDead) continue; // It was killed, and its exit is on its way.
      if (process.owner !== owner || process.runtime !== runtime.name) continue;
      if (process.onlyFunction !== undefined && process.onlyFunction !== functionSha256) continue; // I5
      const kind = this.#all.get(process);
      if (kind === undefined || !isSame(kind.shape, shape)) continue; // I6
      found = process;
      if (process.hasRun(functionSha256)) break;
    }
    return found;
  }

  #takeSpare(runtime: LanguageRuntime, shape: ProcessShape): ExecutorProcess | undefined {
    if (!isSame(shape, this.#options.limits)) return undefined; // I6
    const spare = this.#spares.get(runtime);
    if (spare === undefined || spare.isDead) return undefined; // What follows its death is on its way.
    this.#spares.delete(runtime);
    return spare;
  }

  /** I8 */
  async #untilReady(process: ExecutorProcess): Promise<void> {
    try {
      const { readyWithinMs = defaultReadyWithinMs } = this.#options;
      await withDeadline(process.ready, readyWithinMs, 'starting an executor process');
    } catch (error) {
      process.kill({ code: 'worker-lost', text: messageOf(error) });
      throw error;
    }
  }

  #spawn(runtime: LanguageRuntime, { memoryMiB, scratchMiB }: ProcessShape): ExecutorProcess {
    const { settings, staging, isolation, residentMiBOf } = this.#options;
    const { isRestricted } = isolation;
    const limits = { ...this.#options.limits, memoryMiB, scratchMiB };
    const plan = runtime.launch(isolation.folderInside(staging.folder), limits, {
      ...settings,
      isRestricted,
    });
    const file = plan.file === process.execPath ? staging.nodeFile : plan.file;
    const residentMiB = residentMiBOf(limits);
    const launch = isolation.launch(
      { ...plan, file, readableFolder: staging.folder },
      { residentMiB, scratchMiB },
    );
    const traits = { ...runtime, codeBytes: limits.codeBytes };
    const started = new ExecutorProcess(traits, this.#niced(launch), (dead) => this.#onExit(dead));
    const inTime = this.#untilReady(started);
    inTime.catch(() => undefined); // Whoever needs the process awaits it; a spare is logged when it ends.
    this.#all.set(started, {
      ...{ runtime, shape: { memoryMiB, scratchMiB }, residentMiB, inTime },
      startedMs: performance.now(),
      isForOneCall: false,
    });
    return started;
  }

  /** `nice` becomes the program it is given: the process stays the same one. */
  #niced(launch: Launch): Launch {
    const { niceness = 0 } = this.#options;
    if (niceness === 0) return launch;
    return { ...launch, file: '/usr/bin/nice', args: ['-n', String(niceness), launch.file, ...launch.args] };
  }

  /** Ends a process on purpose. */
  #discard(process: ExecutorProcess): void {
    this.#all.delete(process);
    process.kill();
  }

  #startSpare(runtime: LanguageRuntime): void {
    if (this.#isStopped || this.#spares.has(runtime)) return;
    this.#spares.set(runtime, this.#spawn(runtime, this.#options.limits));
  }

  #onExit(dead: ExecutorProcess): void {
    const kind = this.#all.get(dead);
    this.#all.delete(dead);
    this.#idle.delete(dead);
    if (this.#isStopped || kind === undefined) return;
    this.#options.onLost();
    if (this.#spares.get(kind.runtime) !== dead) return;
    this.#spares.delete(kind.runtime);
    this.#retrySpare(dead, kind);
  }

  #retrySpare(dead: ExecutorProcess, { runtime, startedMs }: Kind): void {
    const wasSound = performance.now() - startedMs >= soundAfterMs && dead.wasReady;
    const failures = wasSound ? 1 : (this.#failures.get(runtime) ?? 0) + 1;
    this.#failures.set(runtime, failures);
    this.#options.logger.error('a spare executor process ended; trying again', {
      op: 'executor.start',
      outcome: 'failed',
      program: runtime.name,
      reason: `${dead.wasReady ? 'ended after it was ready' : 'ended while starting'}: ${dead.endedBecause}`,
    });
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        this.#startSpare(runtime);
      },
      respawnBaseMs + fullJitterMs(failures, respawnBaseMs, respawnMaxMs),
    );
    this.#timers.add(timer);
  }
}
