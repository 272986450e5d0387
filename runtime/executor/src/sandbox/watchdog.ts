import type { Logger } from '@gantry/kernel';
import { cpuSeconds } from '../isolation/bubblewrap-arguments.js';
import type { DeathReason } from '../isolation/isolation.js';
import type { ExecutorProcess } from './executor-process.js';
import { IdleWork } from './idle-work.js';
import { readCpuTicks, readResidentBytes } from './process-usage.js';

/**
 * Looks at executor processes from outside, for what V8's own limits do not see.
 *
 * I1  A process whose resident memory is beyond the bound is killed (Buffers are not part of a thread's heap), and one
 *     that is charged with more than that and its scratch folder together (memory that is shared, or not mapped).
 * I2  A process that keeps a processor busy while it has no call is ended (timers, threads and loops left behind), at
 *     once or after the call that runs; calls in between do not help it (`idle-work.ts`).
 * I3  It looks seldom at what had no call for a while.
 * I4  A process that used half of the processor time of its life is ended between calls; one that comes near the end
 *     of it is killed with that reason, before the kernel kills it without one.
 * I5  A process with very many files in its scratch folder is killed: each takes memory that no size limit counts.
 */
const busyEveryMs = 100;
const idleEveryMs = 1000;
/** A process is looked at often for so long after its last call. */
const restedMs = 2000;
const maxScratchFiles = 16_384;
const ticksPerSecond = 100;
/** Shares of the processor time of a process' life (I4). */
const spentShare = 0.5;
const lastShare = 0.95;

/** What it looks at. */
export type WatchedProcess = Pick<
  ExecutorProcess,
  'pid' | 'isDead' | 'isBusy' | 'owner' | 'tally' | 'countScratchFiles' | 'memoryBytes' | 'kill'
>;

export interface WatchdogOptions<Watched extends WatchedProcess> {
  /** The bound of one process. */
  readonly residentBytesOf: (process: Watched) => number;
  /** The size of its scratch folder. */
  readonly scratchBytesOf: (process: Watched) => number;
  readonly logger: Logger;
  readonly processes: () => Iterable<Watched>;
  /** Ends a process now, or after the call it has. */
  readonly retire: (process: Watched) => void;
  /** Processor time of a process' life; by default what the isolation levels give it. */
  readonly lifetimeCpuSeconds?: number;
}

export class Watchdog<Watched extends WatchedProcess = ExecutorProcess> {
  readonly #options: WatchdogOptions<Watched>;
  readonly #lifeTicks: number;
  readonly #idleWork = new WeakMap<Watched, IdleWork>();
  /** Those that were told to end, which they do after their call. */
  readonly #retired = new WeakSet<Watched>();
  #timer: NodeJS.Timeout | undefined;
  #lastIdleLookMs = 0;

  constructor(options: WatchdogOptions<Watched>) {
    this.#options = options;
    this.#lifeTicks = (options.lifetimeCpuSeconds ?? cpuSeconds) * ticksPerSecond;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), busyEveryMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One look at every process that is due. */
  look(): void {
    const now = performance.now();
    const isIdleLook = now - this.#lastIdleLookMs >= idleEveryMs;
    if (isIdleLook) this.#lastIdleLookMs = now;
    for (const process of this.#options.processes()) {
      if (process.isDead || process.pid === undefined) continue;
      if (process.tally.restedMs > restedMs && !isIdleLook) continue; // I3
      this.#check(process, process.pid, now);
    }
  }

  #check(process: Watched, pid: number, nowMs: number): void {
    const residentBytes = readResidentBytes(pid);
    const cpuTicks = readCpuTicks(pid);
    if (residentBytes === undefined || cpuTicks === undefined) return;
    const excess = this.#findExcess(process, residentBytes, cpuTicks);
    if (excess !== undefined) {
      const fields = { op: 'executor.kill', pid, resident_bytes: residentBytes, reason: excess.text };
      this.#options.logger.warn('executor process is beyond its limits and is killed', fields);
      process.kill(excess);
      return;
    }
    if (process.owner !== undefined) this.#checkWork(process, pid, cpuTicks, nowMs);
  }

  #findExcess(process: Watched, residentBytes: number, cpuTicks: number): DeathReason | undefined {
    const boundBytes = this.#options.residentBytesOf(process);
    const chargedBytes = process.memoryBytes() ?? 0;
    if (residentBytes > boundBytes || chargedBytes > boundBytes + this.#options.scratchBytesOf(process)) {
      const limitMiB = Math.round(boundBytes / 1024 ** 2);
      return { code: 'out-of-memory', text: `the process of the function used more than ${limitMiB} MiB` }; // I1
    }
    if (process.owner !== undefined && (process.countScratchFiles() ?? 0) > maxScratchFiles) {
      return { code: 'scratch-full', text: `more than ${maxScratchFiles} files in the scratch folder` }; // I5
    }
    if (cpuTicks > this.#lifeTicks * lastShare) {
      return { code: 'execution-timeout', text: 'the process of the function used up its processor time' }; // I4
    }
    return undefined;
  }

  #checkWork(process: Watched, pid: number, cpuTicks: number, nowMs: number): void {
    const work = this.#idleWork.get(process) ?? new IdleWork();
    this.#idleWork.set(process, work);
    const isRestless = work.look(cpuTicks, process.isBusy, process.tally, nowMs); // I2
    const isSpent = cpuTicks > this.#lifeTicks * spentShare; // I4
    if ((!isRestless && !isSpent) || this.#retired.has(process)) return;
    this.#retired.add(process);
    if (isRestless) {
      this.#options.logger.warn('executor process is busy without a call and is ended', {
        op: 'executor.kill',
        pid,
      });
    }
    this.#options.retire(process);
  }
}
