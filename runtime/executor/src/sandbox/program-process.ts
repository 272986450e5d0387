import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { withDeadline } from '@gantry/kernel';
import type { DeathReason, Launch, StartedProcess } from '../isolation/isolation.js';

/**
 * The life of one program under its isolation: spawned → (doomed) → dead.
 *
 * I1  Nothing it prints can grow: only the last bytes of its streams are kept, for diagnosis.
 *     and no faster than they can be thrown away without taking the time of others.
 * I2  `onDeath` is called exactly once, after its last words were read or a moment passed.
 * I3  After its exit nothing is done by its pid, which may be that of another process by then.
 */
const keptDiagnosticChars = 2048;
const lastWordsMs = 200;
/** After so many bytes a program that prints waits for a moment (I1). */
const diagnosticBytesPerMoment = 256 * 1024;
const momentMs = 250;
/** A process that is killed ends at once, unless the kernel holds it; a container takes up to some seconds. */
const endsWithinMs = 10_000;
/** A program that a wrapper saw die of a signal ends the wrapper with 128 and its number. */
const signalExitBase = 128;
const sigAbort = 6;
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

  constructor(launch: Launch, events: ProgramEvents) {
    this.#events = events;
    this.#over = new Promise((resolve) => {
      this.#onOver = resolve;
    });
    this.#child = spawn(launch.file, [...launch.args], launch.options);
    this.#started = (launch.started ?? startPlain)(this.#child);
    this.#pipe = this.#child.stdio[3] as Duplex;
    this.#child.once('error', (error) =>
      this.#die(`could not be started: ${error.message}`, null, null, false),
    );
    const onEnd = (code: number | null, signal: NodeJS.Signals | null) =>
      this.#die(this.#describeEnd(code, signal), code, signal, true);
    // Its last words on stderr say why; they may come after the exit.
    this.#child.once('exit', (code, signal) => {
      this.#isDoomed = true;
      this.#hasExited = true;
      setTimeout(onEnd, lastWordsMs, code, signal);
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
        readBytes += text.length;
        if (readBytes < diagnosticBytesPerMoment) return;
        readBytes = 0;
        stream.pause();
        setTimeout(() => stream.resume(), momentMs).unref();
      });
      stream.on('error', () => undefined);
    }
  }

  #die(how: string, code: number | null, signal: NodeJS.Signals | null, wasStarted: boolean): void {
    if (this.#isDead) return; // I2
    this.#isDead = true;
    this.#pipe.destroy();
    const known = this.#started.ended();
    this.#onOver();
    this.#events.onDeath(known ?? this.#reasonOfDeath(how, code, signal), how, wasStarted);
  }

  #reasonOfDeath(how: string, code: number | null, signal: NodeJS.Signals | null): DeathReason {
    const isHeap = /heap out of memory|allocation failed|Out of memory/i.test(this.#diagnostics);
    if (isHeap || signal === 'SIGABRT' || code === signalExitBase + sigAbort) {
      return { code: 'out-of-memory', text: 'the executor process ran out of memory' };
    }
    return { code: 'worker-lost', text: `the executor process ended: ${how}` };
  }

  #describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
    const wasKilled = code === signalExitBase + sigKill;
    const how = signal !== null || wasKilled ? `signal ${signal ?? 'SIGKILL'}` : `exit code ${code}`;
    const last = this.#diagnostics.trim().split('\n').slice(-3).join(' | ');
    return last === '' ? how : `${how} (${last})`;
  }
}
