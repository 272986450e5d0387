import type { Command } from 'commander';
import { type Connection, connect, type GlobalOptions, outputOf } from '../connection.js';
import { fail } from '../terminal.js';

/** Words of the command line, then what was chosen with flags. */
type Action<O> = (connection: Connection, words: string[], options: O & GlobalOptions) => Promise<void>;

/** Connects `command` to what it does: errors are printed with their code and remedy, and set the exit code. */
export function onAction<O = GlobalOptions>(command: Command, action: Action<O>): Command {
  return command.action(async (...args: unknown[]) => {
    const options = command.optsWithGlobals() as O & GlobalOptions;
    try {
      const words = args
        .slice(0, command.registeredArguments.length)
        .flat()
        .filter((word) => word !== undefined)
        .map(String);
      await action(connect(options), words, options);
    } catch (error) {
      fail(error, outputOf(options));
    }
  });
}

/** Every item of a paged list, `limit` at most. */
export async function take<T>(items: AsyncIterable<T>, limit: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length >= limit) break;
  }
  return taken;
}

/** A word of the command line that has to be a number. @throws {UsageError} */
export function numberOf(what: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new UsageError(`${what} must be a number, not "${text}"`);
  return value;
}

/** The command was used wrongly: exit code 2. */
export class UsageError extends Error {
  readonly status = 422;
}
