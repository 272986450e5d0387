import type { Language } from '@gantry/contracts/execution';
import type { ExecutorLimits } from '../sandbox/protocol.js';

/** How to start the program that runs functions; the isolation level wraps it. */
export interface LaunchPlan {
  /** Absolute path of the program. */
  readonly file: string;
  readonly args: readonly string[];
  /** Everything the program may read outside of the system's own folders. */
  readonly readableFolder: string;
  /** Address space the program can be held to, in MiB; absent where the program reserves far more than it uses. */
  readonly addressSpaceMiB?: number;
}

/** What the machine's owner chose about languages. */
export interface LanguageSettings {
  /** Absolute path of the Python interpreter. */
  readonly pythonExecutable: string;
}

export const defaultLanguageSettings: LanguageSettings = { pythonExecutable: '/usr/bin/python3' };

export interface LaunchOptions extends LanguageSettings {
  /** The program restricts itself as far as it can (Node: the permission model). */
  readonly isRestricted: boolean;
  /** Modules that some flavour declares: for the error of a function that lacks one. */
  readonly moduleHints?: ModuleHints | undefined;
}

/** Who has a module. */
interface ModuleHint {
  /** Flavours that declare it. */
  readonly flavours: readonly string[];
  /** When the function's own flavour declares it: that flavour, and the Debian package the module comes from. */
  readonly own?: { readonly flavour: string; readonly debian?: string };
}

/** By the name of a module, for example `numpy`. */
export type ModuleHints = Readonly<Record<string, ModuleHint>>;

/** A run that shows whether a level of isolation can start an interpreter. */
export interface Trial extends Pick<LaunchPlan, 'file' | 'args'> {
  /** What is missing when it did not end well: names the setting and the remedy. */
  explain(reason: string): string;
}

/**
 * A program that runs functions of one or more languages. It speaks the frames of `sandbox/frames.ts` on descriptor 3,
 * so that the supervisor treats all alike. Adding one is a folder beside `js/` and a line in `table.ts`.
 */
export interface LanguageRuntime {
  /** Short and unique: processes are kept apart by it. */
  readonly name: string;
  readonly languages: readonly Language[];
  /** How a fresh realm is had: a thread of its own inside the process, or a process for one call. */
  readonly freshRealm: 'thread' | 'process';
  /** Functions one process may run in its life: 'one' where the program cannot keep two of them apart. */
  readonly functionsPerProcess: 'one' | 'many';
  /** Whether a call may have to wait for a thread to boot, which is not run time: only then is it allowed to say so. */
  readonly bootsThreads: boolean;
  /** What is missing on this machine for a language (names the Debian package), or undefined when it can run. */
  missing(language: Language, settings: LanguageSettings): Promise<string | undefined>;
  /**
   * A run of its interpreter that does nothing and ends well, where it is not certain that functions can be given it:
   * it lies outside of the system's own folders, which every level shows. Absent: it is certain.
   */
  trial?(settings: LanguageSettings): Trial | undefined;
  /** Puts the program and what it needs into a folder that the sandbox user can read; once per supervisor. */
  stage(folder: string): Promise<void>;
  launch(folder: string, limits: ExecutorLimits, options: LaunchOptions): LaunchPlan;
}
