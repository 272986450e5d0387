/**
 * The runtimes of one machine, each a process of its own that outlives whoever started it.
 * starting → taking ⇄ waiting (for the broker) → draining → gone; `lost` is one that is gone and was not told to.
 *
 * I1  Only a process whose start time is still that of its record is signalled.
 * I2  A number is given to one process at a time, also when several programs start runtimes at once.
 * I3  What could not be started leaves no process and no record.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync } from 'node:fs';
import { AppError, type Clock, DeadlineError, delay, systemClock } from '@gantry/kernel';
import { identityOf, isAlive, signalProcess } from './process-identity.js';
import { takeLock } from './process-lock.js';
import { buildArguments, buildEnvironment, type RuntimeLaunch } from './runtime-launch.js';
import { type RuntimeRecord, RuntimeRecords, type RuntimeStatus } from './runtime-records.js';

type RuntimeState = 'starting' | 'taking' | 'waiting' | 'draining' | 'lost';

/** One runtime process, as it is now. */
export interface RuntimeProcess extends RuntimeRecord {
  readonly state: RuntimeState;
  /** Why it takes nothing, in words. */
  readonly reason: string | undefined;
  /** Executions that run now. */
  readonly running: number;
  readonly runtimeId: string | undefined;
  readonly logFile: string;
}

export interface StartOptions {
  /** Executions at once; the runtime's own setting unless given. */
  readonly slots?: number | undefined;
  /** Its output goes to this process's instead of to a log file. */
  readonly isAttached?: boolean;
}

/** A process that was just started. */
export interface Launched {
  readonly record: RuntimeRecord;
  readonly child: ChildProcess;
}

const pollMs = 50;
const lockWaitMs = 5000;
/** After SIGKILL; the kernel needs a moment to take a large process down. */
const killWaitMs = 5000;
const reasonBytes = 500;

export class RuntimeProcesses {
  readonly #records: RuntimeRecords;
  readonly #clock: Clock;

  /** @param folder where their files are; kept between programs that look after the same runtimes */
  constructor(folder: string, clock: Clock = systemClock) {
    this.#records = new RuntimeRecords(folder);
    this.#clock = clock;
  }

  /** Oldest number first; with those that were lost. */
  list(flavour?: string): RuntimeProcess[] {
    const records = this.#records.readAll();
    return records
      .filter((record) => flavour === undefined || record.flavour === flavour)
      .filter((record) => isAlive(record) || !this.#removeDrained(record))
      .map((record) => this.#view(record));
  }

  /** Removes the record of a process that is gone; its log stays. */
  forget(record: RuntimeRecord): void {
    if (!isAlive(record)) this.#records.remove(record);
  }

  /** Starts a process and answers at once; {@link untilTaking} says what became of it. */
  async launch(flavour: string, launch: RuntimeLaunch, options: StartOptions = {}): Promise<Launched> {
    this.#records.prepare();
    const release = await this.#lockNumbers(); // I2
    try {
      const number = this.#freeNumber(flavour);
      const id = `${flavour}.${number}`;
      this.#records.remove({ id });
      const child = this.#spawn(id, flavour, launch, options);
      const record = {
        ...{ id, flavour, number, startedAtMs: this.#clock.now(), isDraining: false },
        ...identityOf(child.pid ?? 0),
      };
      this.#records.write(record);
      return { record, child };
    } finally {
      release();
    }
  }

  /**
   * Waits until a process takes executions.
   * @throws {Error} with the end of its log when it ended
   * @throws {DeadlineError} when it does neither in time
   */
  async untilTaking(record: RuntimeRecord, timeoutMs: number): Promise<void> {
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    for (;;) {
      if (!isAlive(record))
        throw new Error(`runtime ${record.id} ended at its start: ${this.#lastWords(record)}`);
      const status = this.#records.statusOf(record);
      if (status?.not_ready === null) return;
      if (this.#clock.monotonicMs() > endMs) {
        const why = status === undefined ? '' : ` (${status.not_ready})`;
        throw new DeadlineError(`starting runtime ${record.id}${why}`, timeoutMs);
      }
      await delay(pollMs);
    }
  }

  /** {@link launch} and {@link untilTaking}; nothing is left of a process that did not get there (I3). */
  async start(
    flavour: string,
    launch: RuntimeLaunch,
    { timeoutMs, ...options }: StartOptions & { readonly timeoutMs: number },
  ): Promise<RuntimeProcess> {
    const { record, child } = await this.launch(flavour, launch, options);
    child.unref();
    try {
      await this.untilTaking(record, timeoutMs);
      return this.#view(record);
    } catch (error) {
      await this.kill(record);
      throw error;
    }
  }

  /**
   * Tells a process to take nothing new and to end when what it runs has ended. Answers whether it has ended within
   * the time; else it goes on draining.
   */
  async drain(record: RuntimeRecord, { timeoutMs }: { timeoutMs: number }): Promise<boolean> {
    if (!record.isDraining && isAlive(record)) {
      this.#records.write({ ...record, isDraining: true });
      signalProcess(record, 'SIGTERM'); // I1
    }
    return this.#untilGone(record, timeoutMs);
  }

  /** Ends a process at once; what it ran is lost. */
  async kill(record: RuntimeRecord): Promise<boolean> {
    signalProcess(record, 'SIGKILL'); // I1
    return this.#untilGone(record, killWaitMs);
  }

  /**
   * Keeps every other program from scaling the flavour, until the answer is called.
   * @throws {AppError} scaling-in-progress
   */
  claim(flavour: string): () => void {
    this.#records.prepare();
    const lock = takeLock(this.#records.lockPath(`scaling.${flavour}`));
    if (lock.kind === 'taken') return lock.release;
    const holder = lock.pid === undefined ? 'another process' : `process ${lock.pid}`;
    throw new AppError(
      'scaling-in-progress',
      `${holder} is scaling the flavour "${flavour}" on this machine`,
    );
  }

  async #lockNumbers(): Promise<() => void> {
    const endMs = this.#clock.monotonicMs() + lockWaitMs;
    for (;;) {
      const lock = takeLock(this.#records.lockPath('numbers'));
      if (lock.kind === 'taken') return lock.release;
      if (this.#clock.monotonicMs() > endMs)
        throw new Error(`process ${lock.pid ?? '?'} holds ${this.#records.lockPath('numbers')}`);
      await delay(pollMs);
    }
  }

  #freeNumber(flavour: string): number {
    const taken = new Set(this.list(flavour).flatMap((one) => (one.state === 'lost' ? [] : [one.number])));
    let number = 1;
    while (taken.has(number)) number += 1;
    return number;
  }

  /** In a session of its own: what ends the program that started it does not end it. */
  #spawn(id: string, flavour: string, launch: RuntimeLaunch, options: StartOptions): ChildProcess {
    const { folder } = this.#records;
    const environment = buildEnvironment(launch, folder, this.#records.statusPath(id));
    const log = options.isAttached === true ? undefined : this.#openLog(id);
    try {
      const child = spawn(process.execPath, buildArguments(launch, flavour, options.slots), {
        env: environment,
        detached: true,
        stdio: log === undefined ? ['ignore', 'inherit', 'inherit'] : ['ignore', log, log],
      });
      // Said by the missing process id.
      child.on('error', () => undefined);
      if (child.pid === undefined) throw new Error(`${process.execPath} cannot be started`);
      return child;
    } finally {
      if (log !== undefined) closeSync(log);
    }
  }

  /** The log of the one before is kept once, so that logs stay as few as numbers. */
  #openLog(id: string): number {
    const path = this.#records.logPath(id);
    try {
      renameSync(path, `${path}.old`);
    } catch {
      // There was none.
    }
    return openSync(path, 'a', 0o600);
  }

  async #untilGone(record: RuntimeRecord, timeoutMs: number): Promise<boolean> {
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    while (isAlive(record)) {
      if (this.#clock.monotonicMs() > endMs) return false;
      await delay(pollMs);
    }
    this.#forgetIfSame(record);
    return true;
  }

  /** Its number may be another process's by now. */
  #forgetIfSame(record: RuntimeRecord): void {
    const now = this.#records.readAll().find(({ id }) => id === record.id);
    if (now?.pid === record.pid && now.startTicks === record.startTicks) this.#records.remove(record);
  }

  /** One that was told to drain and is gone is nothing to speak of. */
  #removeDrained(record: RuntimeRecord): boolean {
    if (record.isDraining) this.#records.remove(record);
    return record.isDraining;
  }

  #view(record: RuntimeRecord): RuntimeProcess {
    const isGone = !isAlive(record);
    const status = isGone ? undefined : this.#records.statusOf(record);
    return {
      ...record,
      state: isGone ? 'lost' : stateOf(record, status),
      reason: isGone ? `the process is gone: ${this.#lastWords(record)}` : (status?.not_ready ?? undefined),
      running: status?.running ?? 0,
      runtimeId: status?.runtime_id,
      logFile: this.#records.logPath(record.id),
    };
  }

  /** The last lines of the log: a process that cannot start says why there. */
  #lastWords({ id }: RuntimeRecord): string {
    try {
      const lines = readFileSync(this.#records.logPath(id), 'utf8').trim().split('\n').flatMap(toWords);
      const text = lines.slice(-3).join(' ').slice(-reasonBytes);
      return text === '' ? 'it left no word' : text;
    } catch {
      return 'it left no log';
    }
  }
}

/** Of lines of the log only warnings and errors, as sentences: the others say what went well. */
function toWords(line: string): string[] {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return line.trim() === '' ? [] : [line];
  }
  const { level, message, reason } = (entry ?? {}) as {
    level?: unknown;
    message?: unknown;
    reason?: unknown;
  };
  if (level !== 'error' && level !== 'warn') return [];
  return [`${message}${reason === undefined ? '' : `: ${reason}`}`];
}

function stateOf(record: RuntimeRecord, status: RuntimeStatus | undefined): RuntimeState {
  if (record.isDraining) return 'draining';
  if (status === undefined || status.phase === 'starting') return 'starting';
  if (status.phase !== 'taking') return 'draining';
  return status.not_ready === null ? 'taking' : 'waiting';
}
