/**
 * Text for a POSIX shell script that stands for exactly these words. Pure.
 *
 * I1. Between single quotes a shell reads nothing (POSIX.1-2017, 2.2.2), so only the single quote itself is left out
 *     and put in by itself.
 * I2. No carriage return stands in the script, as sbatch refuses scripts with line ends of Windows: it is the first
 *     positional parameter instead, which {@link carriageReturnLine} sets.
 */
export const quoteWord = (word: string): string =>
  `'${word.replaceAll("'", `'\\''`).replaceAll('\r', `'"$1"'`)}'`;

/** Sets the first positional parameter to a carriage return; the dot keeps the shell from cutting it off. */
export const carriageReturnLines = `set -- "$(printf '\\r.')"\nset -- "\${1%.}"`;
