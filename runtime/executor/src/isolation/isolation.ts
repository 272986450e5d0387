import type { ChildProcess, SpawnOptions } from 'node:child_process';
import type { ExecutionErrorCode, IsolationLevel } from '@gantry/contracts/execution';
import type { LaunchPlan } from '../languages/language.js';

export type { IsolationChoice, IsolationLevel } from '@gantry/contracts/execution';

/** The level asked for cannot be had here; `message` says why and what to do. */
export class IsolationError extends Error {
  readonly reason: string;

  constructor(level: IsolationLevel, reason: string) {
    super(`isolation level "${level}" cannot be had: ${reason}`);
    this.name = 'IsolationError';
    this.reason = reason;
  }
}

/** What one process may use, whatever runs in it; fixed when it starts. */
export interface ProcessBounds {
  /** Memory of the whole process: heap, Buffers, code, interpreter. */
  readonly residentMiB: number;
  /** Its private scratch folder, where the level has one. */
  readonly scratchMiB: number;
}

/** Why a process died, when the isolation knows better than its exit code says. */
export interface DeathReason {
  readonly code: ExecutionErrorCode;
  readonly text: string;
}

/** A program that was just spawned, as its isolation sees it. */
export interface StartedProcess {
  /**
   * Of the program itself, not of what wraps it, in the supervisor's process namespace; undefined until it is known
   * and after the end.
   */
  readonly pid: number | undefined;
  /** Ends the program and everything it started. Does not wait; may be called at any time and again. */
  kill(): void;
  /** Files in its scratch folder, where the level gives it one of its own. Called only while the program runs. */
  countScratchFiles?(): number | undefined;
  /**
   * What it is charged with by the kernel, where the level has an account of that: memory, also shared and not mapped,
   * and the files in its scratch folder.
   */
  memoryBytes?(): number | undefined;
  /** Called once, after the end: frees what was made for it. */
  ended(): DeathReason | undefined;
}

/** How to spawn one program. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  /** Descriptors 0 to 3 are: nothing, two pipes for what it prints, a pipe for frames. More belong to the level. */
  readonly options: SpawnOptions;
  /** Called once, in the same turn as the spawn. Absent: the child is the program, in a process group of its own. */
  readonly started?: (child: ChildProcess) => StartedProcess;
}

/**
 * A level of isolation as this machine can have it. All levels keep the same contract (`isolation.contract.ts`).
 *
 * I1  A program gets a fixed environment and no descriptors but its own.
 * I2  `kill`, and the death of the supervisor, end everything that the program started.
 */
export interface Isolation {
  readonly level: IsolationLevel;
  /** One sentence: what holds here, and what this machine could not give. For the log at the start. */
  readonly description: string;
  /** Why `auto` did not become a stronger level; absent when nothing was lost. */
  readonly weakerBecause?: string;
  /** Programs restrict themselves as far as they can (Node: the permission model). */
  readonly isRestricted: boolean;
  /** The program runs as another user than the supervisor, and so does what prepares its sandbox. */
  readonly isOtherUser: boolean;
  /** Where the program finds a staged folder; programs are launched with this path. */
  folderInside(stagingFolder: string): string;
  /**
   * The command line for a program. `plan.file` and `plan.readableFolder` are paths of this machine, `plan.args` are
   * as the program sees them.
   */
  launch(plan: LaunchPlan, bounds: ProcessBounds): Launch;
}
