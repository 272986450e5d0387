import type { Command } from 'commander';
import { type Connection, connect, type GlobalOptions, outputOf } from '../connection.js';
import { fail, type Output } from '../terminal.js';
import { UsageError } from './usage-error.js';

/** Words of the command line, then what was chosen with flags. */
type Action<O> = (connection: Connection, words: string[], options: O & GlobalOptions) => Promise<void>;

/** As {@link Action}, for what needs no platform to talk to. */
type LocalAction<O> = (output: Output, words: string[], options: O & GlobalOptions) => Promise<void>;

/** Connects `command` to what it does: errors are printed with their code and remedy, and set the exit code. */
export const onAction = <O = GlobalOptions>(command: Command, action: Action<O>): Command =>
  onLocalAction<O>(command, (_output, words, options) => action(connect(options), words, options));

/** {@link onAction} without a connection. */
export function onLocalAction<O = GlobalOptions>(command: Command, action: LocalAction<O>): Command {
  return command.action(async (...args: unknown[]) => {
    const options = command.optsWithGlobals() as O & GlobalOptions;
    try {
      const words = args
        .slice(0, command.registeredArguments.length)
        .flat()
        .filter((word) => word !== undefined)
        .map(String);
      await action(outputOf(options), words, options);
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

/** A word of the command line that has to be a number from 0 up. @throws {UsageError} */
export function numberOf(what: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new UsageError(`${what} must be a number, not "${text}"`);
  if (value < 0) throw new UsageError(`${what} must be a number from 0 up, not "${text}"`);
  return value;
}

/** A word of the command line that has to be a whole number from 1 up. @throws {UsageError} */
export function countOf(what: string, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new UsageError(`${what} must be a whole number from 1 up, not "${text}"`);
  return value;
}

/** The words `name=value` of an option. @throws {UsageError} */
export function toPairs(option: string, words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 1) throw new UsageError(`${option} takes name=value, not "${word}"`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
