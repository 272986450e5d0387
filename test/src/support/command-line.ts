import { gantry, type Platform } from './platform.js';
import { startNode } from './processes.js';

export interface CommandResult {
  readonly code: number | string;
  readonly stdout: string;
  /** Both outputs. */
  readonly output: string;
}

/** Runs one `gantry` command to its end, against a platform when one is given. */
export async function runGantry(args: readonly string[], platform?: Platform): Promise<CommandResult> {
  const command = startNode(gantry, args, platform?.env ?? {});
  const code = await command.ended;
  return { code, stdout: command.stdout(), output: command.output() };
}
