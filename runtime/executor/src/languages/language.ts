import type { Language } from '@gantry/contracts';
import type { ExecutorLimits } from '../sandbox/protocol.js';

/** How to start the program that runs functions of one language; the isolation level wraps it. */
export interface LaunchPlan {
  /** Absolute path of the program. */
  readonly file: string;
  readonly args: readonly string[];
  /** Everything the program may read outside of the system's own folders. */
  readonly readableFolder: string;
}

/**
 * A language that functions are written in. Its program speaks the frames of `sandbox/frames.ts` on descriptor 3, so
 * that the supervisor treats all languages alike. Adding one is a folder beside `js/` and a line in `table.ts`.
 */
export interface LanguageRuntime {
  readonly language: Language;
  /** Puts the program and what it needs into a folder that the sandbox user can read; once per supervisor. */
  stage(folder: string): Promise<void>;
  launch(folder: string, limits: ExecutorLimits, options: { isRestricted: boolean }): LaunchPlan;
}
