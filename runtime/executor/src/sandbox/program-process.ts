import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { withDeadline } from '@gantry/kernel';
import type { DeathReason, Launch, StartedProcess } from '../isolation/isolation.js';

/**
 * The life of one program under its isolation: spawned → (doomed) → dead.
 *
 * I1  Nothing it prints can grow: only the last bytes of its streams are kept, for diagnosis; and while it lives they
 *     are read no faster than they can be thrown away without taking the time of others.
 * I2  `onDeath` is called exactly once. After its exit its streams are read to their end first, or, when something else
 *     keeps them open, until nothing comes for a moment; in any case so much and so long at most.
 * I3  After its exit nothing is done by its pid, which may be that of another process by then.
 */
/** V8 prints a stack after its reason. */
const keptDiagnosticChars = 8192;
/** Of them, what is told of its end. */
const toldDiagnosticChars = 2048;
/** Nothing came for so long: nothing more is to be expected. */
const lastWordsMs = 200;
/** What a program wrote and nobody has read is in its sockets, which hold less; more comes of others that hold them. */
const lastWordsBytes = 4 * 1024 * 1024;
const lastWordsWithinMs = 2000;
/** After so many bytes a program that prints waits for a moment (I1). */
const diagnosticBytesPerMoment = 256 * 1024;
const momentMs = 250;
/** A process that is killed ends at once, unless the kernel holds it; a container takes up to some seconds. */
const endsWithinMs = 10_000;
/** What V8 and the C++ library say when they end a process for want of memory. */
const outOfMemoryWords = /out of memory|allocation failed|bad_alloc/i;
/** A program that a wrapper saw die of a signal ends the wrapper with 128 and its number. */
const signalExitBase = 128;
const sigKill = 9;

export interface ProgramEvents {
  readonly onData: (chunk: Buffer) => void;
  /** `wasStarted` is false when there was nothing to spawn. */
  readonly onDeath: (reason: DeathReason, how: string, wasStarted: boolean) => void;
}

/** A child without wrapper: its own process group, and everything in it. */
function startPlain(child: ChildProcess): StartedProcess {
  return {
    pid: child.pid,
    kill: () => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        child.kill('SIGKILL');
      }
    },
    ended: () => undefined,
  };
}

export class ProgramProcess {
  readonly #child: ChildProcess;
  readonly #started: StartedProcess;
  readonly #pipe: Duplex;
  readonly #events: ProgramEvents;
  readonly #over: Promise<void>;
  #onOver: () => void = () => undefined;
  #isDead: boolean = false;
  /** Killed or ended, and its last words are awaited. */
  #isDoomed: boolean = false;
  /** I3 */
  #hasExited: boolean = false;
  #diagnostics = '';
  readonly #printed = { total: 0, atExit: 0 };

  constructor(launch: Launch, events: ProgramEvents) {
    this.#events = events;
    this.#over = new Promise((resolve) => {
      this.#onOver = resolve;
    });
    this.#child = spawn(launch.file, [...launch.args], launch.options);
    this.#started = (launch.started ?? startPlain)(this.#child);
    this.#pipe = this.#child.stdio[3] as Duplex;
    this.#child.once('error', (error) => this.#die(`could not be started: ${error.message}`, false));
    const onEnd = (code: number | null, signal: NodeJS.Signals | null) =>
      this.#die(this.#describeEnd(code, signal), true);
    this.#child.once('exit', (code, signal) => {
      this.#isDoomed = true;
      this.#hasExited = true;
      this.#readLastWords(() => onEnd(code, signal));
    });
    this.#child.once('close', onEnd);
    this.#listen();
  }

  /** Of the program, not of what wraps it; undefined while it is not known. */
  get pid(): number | undefined {
    return this.#hasExited ? undefined : this.#started.pid; // I3
  }

  /** Files in its scratch folder; undefined where it has none of its own. Not before it is ready. */
  countScratchFiles(): number | undefined {
    return this.#hasExited ? undefined : this.#started.countScratchFiles?.(); // I3
  }

  /** It is over, or will be in a moment. */
  get isDead(): boolean {
    return this.#isDead || this.#isDoomed;
  }

  /** What the kernel charges it with, where its isolation has an account of that. */
  memoryBytes(): number | undefined {
    return this.#started.memoryBytes?.();
  }

  write(parts: readonly Uint8Array[]): void {
    for (const part of parts) this.#pipe.write(part);
  }

  /** Ends it and everything it started. */
  kill(): void {
    if (this.#isDead || this.#hasExited) return; // I3
    this.#isDoomed = true;
    this.#started.kill();
  }

  /**
   * Kills it and waits until it is gone, with what its isolation made for it.
   * @throws {DeadlineError} when it is not gone within `withinMs`; the supervisor does not wait for it any more then
   */
  async end(withinMs: number = endsWithinMs): Promise<void> {
    this.kill();
    try {
      await withDeadline(this.#over, withinMs, 'ending a process');
    } catch (error) {
      this.#letGo();
      throw error;
    }
  }

  /** Nothing of it keeps the supervisor from ending. */
  #letGo(): void {
    this.#child.unref();
    for (const stream of this.#child.stdio) stream?.destroy();
  }

  /** They say why it ended, and may come after its exit (I2). */
  #readLastWords(onSilence: () => void): void {
    const untilMs = performance.now() + lastWordsWithinMs;
    this.#printed.atExit = this.#printed.total;
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.resume();
    const wait = (): void => {
      const { total, atExit } = this.#printed;
      const isOver = (): boolean =>
        this.#printed.total === total ||
        this.#printed.total - atExit > lastWordsBytes ||
        performance.now() > untilMs;
      // After what is there now was read: a supervisor that was held up is late for its timers first.
      setTimeout(() => setImmediate(() => (isOver() ? onSilence() : wait())), lastWordsMs);
    };
    wait();
  }

  #listen(): void {
    this.#pipe.on('data', this.#events.onData);
    // A write to a process that just died; its exit tells the rest.
    this.#pipe.on('error', () => undefined);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      stream.setEncoding('utf8');
      let readBytes = 0;
      stream.on('data', (text: string) => {
        this.#diagnostics = (this.#diagnostics + text).slice(-keptDiagnosticChars); // I1
        this.#printed.total += text.length;
        readBytes += text.length;
        if (readBytes < diagnosticBytesPerMoment || this.#hasExited) return; // I2
        readBytes = 0;
        stream.pause();
        setTimeout(() => stream.resume(), momentMs).unref();
      });
      stream.on('error', () => undefined);
    }
  }

  #die(how: string, wasStarted: boolean): void {
    if (this.#isDead) return; // I2
    this.#isDead = true;
    this.#pipe.destroy();
    const known = this.#started.ended();
    this.#onOver();
    this.#events.onDeath(known ?? this.#reasonOfDeath(how), how, wasStarted);
  }

  #reasonOfDeath(how: string): DeathReason {
    // An abort alone says nothing: programs abort for many reasons.
    if (outOfMemoryWords.test(this.#diagnostics)) {
      return { code: 'out-of-memory', text: 'the executor process ran out of memory' };
    }
    return { code: 'worker-lost', text: `the executor process ended: ${how}` };
  }

  #describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
    const wasKilled = code === signalExitBase + sigKill;
    const how = signal !== null || wasKilled ? `signal ${signal ?? 'SIGKILL'}` : `exit code ${code}`;
    const last = this.#diagnostics.slice(-toldDiagnosticChars).trim().split('\n').slice(-3).join(' | ');
    return last === '' ? how : `${how} (${last})`;
  }
}
