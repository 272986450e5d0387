import type { Logger } from '@gantry/kernel';
import type { ExecutorProcess } from './executor-process.js';
import { readCpuTicks, readResidentBytes } from './process-usage.js';

/**
 * Looks at executor processes from outside, for what V8's own limits do not see.
 *
 * I1  A process whose resident memory is beyond the bound is killed (Buffers are not part of a thread's heap).
 * I2  A process that keeps a processor busy while it has no call is killed (timers and loops left behind).
 * I3  While no call runs it looks seldom.
 */
const busyEveryMs = 100;
const idleEveryMs = 1000;
/**
 * Ticks (10 ms) an idle process may use between two looks, three times in a row. Low enough to be reached on a machine
 * that is busy otherwise; booting a spare thread takes less, and only once.
 */
const idleTicksPerLook = 15;
const idleLooks = 3;

export interface WatchdogOptions {
  readonly residentBytes: number;
  readonly logger: Logger;
  readonly processes: () => Iterable<ExecutorProcess>;
}

interface IdleRecord {
  ticks: number;
  strikes: number;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #idle = new WeakMap<ExecutorProcess, IdleRecord>();
  #timer: NodeJS.Timeout | undefined;
  #lastIdleLookMs = 0;

  constructor(options: WatchdogOptions) {
    this.#options = options;
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
      if (!process.isBusy && !isIdleLook) continue; // I3
      this.#check(process, process.pid, isIdleLook);
    }
  }

  #check(process: ExecutorProcess, pid: number, isIdleLook: boolean): void {
    const residentBytes = readResidentBytes(pid);
    if (residentBytes === undefined) return;
    if (residentBytes > this.#options.residentBytes) {
      const limitMiB = Math.round(this.#options.residentBytes / 1024 ** 2);
      this.#options.logger.warn('executor process is beyond its memory and is killed', {
        op: 'executor.kill',
        pid,
        resident_bytes: residentBytes,
      });
      process.kill({
        code: 'out-of-memory',
        text: `the process of the function used more than ${limitMiB} MiB`,
      }); // I1
      return;
    }
    if (process.isBusy) this.#idle.delete(process);
    else if (isIdleLook && process.owner !== undefined) this.#checkIdle(process, pid, readCpuTicks(pid) ?? 0);
  }

  #checkIdle(process: ExecutorProcess, pid: number, cpuTicks: number): void {
    const record = this.#idle.get(process);
    if (record === undefined) {
      this.#idle.set(process, { ticks: cpuTicks, strikes: 0 });
      return;
    }
    record.strikes = cpuTicks - record.ticks > idleTicksPerLook ? record.strikes + 1 : 0;
    record.ticks = cpuTicks;
    if (record.strikes < idleLooks) return;
    this.#options.logger.warn('executor process is busy without a call and is killed', {
      op: 'executor.kill',
      pid,
    });
    process.kill(); // I2
  }
}
