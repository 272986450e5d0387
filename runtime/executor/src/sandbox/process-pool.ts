import type { Language } from '@gantry/contracts/execution';
import { type Logger, messageOf } from '@gantry/kernel';
import type { LanguageRuntime } from '../languages/language.js';
import { runtimeOf } from '../languages/table.js';
import type { ExecutorProcess } from './executor-process.js';
import { Headroom } from './headroom.js';
import { KeptProcesses } from './kept-processes.js';
import { type Kind, ProcessSpawner, type SpawnOptions } from './process-spawner.js';
import type { ProcessShape } from './protocol.js';
import { SpareProcesses } from './spare-processes.js';
import { Watchdog } from './watchdog.js';

/**
 * The executor processes of one flavour.
 *
 * I1  A process is bound to its first caller and to the owner of the function that was called: no code of another
 *     account runs in it, and no other account calls it. An administrator may call everybody's functions.
 * I2  A process runs one call at a time; what is acquired is not given out again before it is released.
 * I3  Idle processes that have an owner are kept, a bounded number in bounded memory (`kept-processes.ts`).
 * I4  One process without an owner, of the flavour's own shape, is kept warm for each program (`spare-processes.ts`).
 * I5  Where a program cannot keep two functions apart, a process runs only the first it was given.
 * I6  A process of one shape is never given to a call of another.
 * I7  Where a fresh realm takes a process, that process runs one call and ends.
 * I8  A call finds room for the memory of its function, whatever other functions of its owner keep in the process:
 *     where there is less, the process is replaced before the call, and a function that is new to it goes to another
 *     one before that.
 */
export interface PoolOptions extends SpawnOptions {
  /** The programs that can run on this machine; more may come with {@link ProcessPool.add}. */
  readonly runtimes: readonly LanguageRuntime[];
  readonly keptProcesses: number;
  /** Resident memory of all idle processes together. */
  readonly keptBytes: number;
  readonly logger: Logger;
  /** A process ended that was not meant to. */
  readonly onLost: () => void;
}

/** What a call needs of its process. */
export interface ProcessNeed {
  readonly language: Language;
  /** Who calls. */
  readonly owner: string;
  /** Whose function it is; the caller's own unless given. */
  readonly functionOwner?: string | undefined;
  readonly functionSha256: string;
  /** The flavour's own unless given. */
  readonly shape?: ProcessShape | undefined;
  readonly isFresh?: boolean;
}

const mebibyte = 1024 ** 2;

/** Whose function a call runs. */
const functionOwnerOf = ({ owner, functionOwner = owner }: ProcessNeed): string => functionOwner;

const isSame = (a: ProcessShape, b: ProcessShape): boolean =>
  a.memoryMiB === b.memoryMiB && a.scratchMiB === b.scratchMiB;

export class ProcessPool {
  readonly #options: PoolOptions;
  readonly #runtimes: LanguageRuntime[];
  readonly #all = new Map<ExecutorProcess, Kind>();
  readonly #idle: KeptProcesses;
  readonly #headroom = new Headroom();
  readonly #spawner: ProcessSpawner;
  readonly #spares: SpareProcesses;
  readonly #watchdog: Watchdog<ExecutorProcess>;
  #isStopped: boolean = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#runtimes = [...options.runtimes];
    this.#spawner = new ProcessSpawner(options);
    const { staging, logger, limits } = options;
    this.#spares = new SpareProcesses({ staging, logger, spawn: (runtime) => this.#spawn(runtime, limits) });
    this.#idle = new KeptProcesses({ max: options.keptProcesses, maxBytes: options.keptBytes });
    this.#watchdog = new Watchdog({
      residentBytesOf: (process) => (this.#all.get(process)?.residentMiB ?? 0) * mebibyte,
      scratchBytesOf: (process) => (this.#all.get(process)?.shape.scratchMiB ?? 0) * mebibyte,
      logger: options.logger,
      processes: () => this.#all.keys(),
      retire: (process) => this.#retire(process),
    });
  }

  /** Starts the spares and waits for them. @throws {Error} when a program cannot be started, with the reason */
  async start(): Promise<void> {
    this.#watchdog.start();
    await Promise.all(this.#runtimes.map((runtime) => this.#spares.start(runtime)));
  }

  /** A program that can run from now on: what it lacked was installed. */
  add(runtime: LanguageRuntime): void {
    if (this.#runtimes.includes(runtime)) return;
    this.#runtimes.push(runtime);
    this.#startSpare(runtime);
  }

  /** Why no process can be had for a language now that could be had before; undefined when one can. */
  troubleOf(language: Language): string | undefined {
    const runtime = runtimeOf(language, this.#runtimes);
    return runtime === undefined ? undefined : this.#spares.troubleOf(runtime);
  }

  /** The same for any of its programs. */
  trouble(): string | undefined {
    return this.#runtimes
      .map((runtime) => this.#spares.troubleOf(runtime))
      .find((reason) => reason !== undefined);
  }

  /** A process for this caller and this owner of a function alone, until it is released. @throws {Error} when none can be started */
  async acquire(need: ProcessNeed): Promise<ExecutorProcess> {
    const { language, shape = this.#options.limits } = need;
    const runtime = runtimeOf(language, this.#runtimes);
    if (runtime === undefined) throw new Error(`no program for language ${language}`);
    const isForOneCall = need.isFresh === true && runtime.freshRealm === 'process';
    const known = isForOneCall ? undefined : this.#idleOf(runtime, shape, need);
    if (known !== undefined) {
      this.#idle.delete(known); // I2
      return known;
    }
    const take = () => this.#take(runtime, shape, need, isForOneCall);
    // One that hangs or dies while it starts says little about the next.
    const process = await take().catch(() => this.#spares.mend().then(take));
    this.#spares.wasReady(runtime);
    return process;
  }

  /** A process that nobody has yet, once it is ready. */
  async #take(
    runtime: LanguageRuntime,
    shape: ProcessShape,
    need: ProcessNeed,
    isForOneCall: boolean,
  ): Promise<ExecutorProcess> {
    if (this.#isStopped) throw new Error('the processes are being ended');
    const process = this.#takeSpare(runtime, shape) ?? this.#spawn(runtime, shape).process;
    process.owner = need.owner; // I1
    process.functionOwner = functionOwnerOf(need);
    if (runtime.functionsPerProcess === 'one') process.onlyFunction = need.functionSha256; // I5
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
    this.#spares.stop();
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

  #idleOf(runtime: LanguageRuntime, shape: ProcessShape, need: ProcessNeed): ExecutorProcess | undefined {
    const { owner, functionSha256 } = need;
    const functionOwner = functionOwnerOf(need);
    let found: ExecutorProcess | undefined;
    for (const process of this.#idle) {
      if (process.isDead) continue; // It was killed, and its exit is on its way.
      if (process.owner !== owner || process.functionOwner !== functionOwner) continue; // I1
      if (process.runtime !== runtime.name) continue;
      if (process.onlyFunction !== undefined && process.onlyFunction !== functionSha256) continue; // I5
      const kind = this.#all.get(process);
      if (kind === undefined || !isSame(kind.shape, shape)) continue; // I6
      if (!this.#hasRoom(process, kind, functionSha256)) continue;
      found = process;
      if (process.hasRun(functionSha256)) break;
    }
    return found;
  }

  /** I8. One that is too full for a function it has run is ended. */
  #hasRoom(process: ExecutorProcess, { shape, residentMiB }: Kind, functionSha256: string): boolean {
    if (process.holdsOnly(functionSha256)) return true;
    const bounds = { residentBytes: residentMiB * mebibyte, scratchBytes: shape.scratchMiB * mebibyte };
    const isKnown = process.hasRun(functionSha256);
    const callsWithin = isKnown ? 1 : 2;
    if (this.#headroom.bytesOf(process, bounds) >= callsWithin * shape.memoryMiB * mebibyte) return true;
    if (isKnown) this.#discard(process);
    return false;
  }

  #takeSpare(runtime: LanguageRuntime, shape: ProcessShape): ExecutorProcess | undefined {
    if (!isSame(shape, this.#options.limits)) return undefined; // I6
    return this.#spares.take(runtime);
  }

  #spawn(runtime: LanguageRuntime, shape: ProcessShape): { process: ExecutorProcess; kind: Kind } {
    const spawned = this.#spawner.spawn(runtime, shape, (dead) => this.#onExit(dead));
    this.#all.set(spawned.process, spawned.kind);
    return spawned;
  }

  /** Ends a process on purpose. */
  #discard(process: ExecutorProcess): void {
    this.#all.delete(process);
    this.#idle.delete(process);
    process.kill();
  }

  /** Ends it now, or when the call that has it is over: it must not fail for what others left behind. */
  #retire(process: ExecutorProcess): void {
    const kind = this.#all.get(process);
    if (this.#idle.has(process)) this.#discard(process);
    else if (kind !== undefined) kind.isForOneCall = true;
  }

  #startSpare(runtime: LanguageRuntime): void {
    this.#spares.start(runtime)?.catch(() => undefined); // Its exit is logged.
  }

  #onExit(dead: ExecutorProcess): void {
    const kind = this.#all.get(dead);
    this.#all.delete(dead);
    this.#idle.delete(dead);
    if (this.#isStopped || kind === undefined) return;
    this.#options.onLost();
    this.#spares.onExit(dead, kind);
  }
}
