/**
 * What commands print: results on standard output, everything else on standard error.
 *
 * I1  Much of it was written by others: names, logs, what functions throw. What would steer a terminal is replaced in
 *     all of it by what can be seen, where it goes to a terminal; a file or another program gets it as it is.
 */
import { ConfigError } from '@gantry/config';
import { messageOf } from '@gantry/kernel';
import Table from 'cli-table3';
import colors from 'picocolors';

export interface Output {
  /** One JSON document instead of text for people. */
  readonly isJson: boolean;
}

/** What is bold because a command wants it to be. */
const ownBold = new Set<string>();
const escapeCharacter = '\u001b';
const boldText = new RegExp(`(${escapeCharacter}\\[1m[^${escapeCharacter}]*${escapeCharacter}\\[22m)`);
/** Control characters but tabs and line ends, and those that turn the direction of text around. */
const steering = /\r(?!\n)|(?![\n\r\t])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu;

const toEscape = (character: string): string =>
  `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;

/** I1: `text` as it may go to this stream. */
function shownOn(stream: NodeJS.WriteStream, text: string): string {
  if (!stream.isTTY) return text;
  return text
    .split(boldText)
    .map((part) => (ownBold.has(part) ? part : part.replace(steering, toEscape)))
    .join('');
}

/** For results: bold where the terminal has it. */
export function bold(text: string): string {
  const styled = colors.bold(shownOn(process.stdout, text));
  ownBold.add(styled);
  return styled;
}

/** The answer of a command: `value` with `--json`, else `text`. */
export function printResult(output: Output, value: unknown, text: string): void {
  console.log(output.isJson ? JSON.stringify(value, null, 2) : shownOn(process.stdout, text));
}

/**
 * For output of others that comes in pieces: gives what writes the next piece to the stream (I1). It rejects with the
 * stream's error.
 */
export function writerTo(stream: NodeJS.WriteStream): (piece: Uint8Array) => Promise<void> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return (piece) =>
    new Promise((resolve, reject) => {
      const shown = stream.isTTY ? shownOn(stream, decoder.decode(piece, { stream: true })) : piece;
      stream.write(shown, (error) => (error == null ? resolve() : reject(error)));
    });
}

/** Rows under headings; says so when there are none. */
export function toTable(
  headings: readonly string[],
  rows: readonly (readonly unknown[])[],
  nothing: string,
): string {
  if (rows.length === 0) return nothing;
  const table = new Table({
    head: headings.map(bold),
    style: { head: [], border: [], compact: true },
    chars: {
      mid: '',
      'left-mid': '',
      'mid-mid': '',
      'right-mid': '',
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      right: '',
      middle: ' ',
    },
  });
  for (const row of rows)
    table.push(row.map((cell) => (cell === null || cell === undefined ? '-' : toCell(cell))));
  return table.toString();
}

/** Here already: what is replaced has another width. */
const toCell = (cell: unknown): string => shownOn(process.stdout, String(cell));

/** A line about what goes on. */
export function note(text: string): void {
  console.error(shownOn(process.stderr, text));
}

/**
 * Says what is being waited for when it takes longer than two seconds, and how long it has taken so far.
 * @returns what `work` returns
 */
export async function withProgress<T>(what: string, work: Promise<T>): Promise<T> {
  const startMs = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - startMs) / 1000);
    console.error(colors.dim(`${shownOn(process.stderr, what)} … ${seconds} s`));
  }, 2000);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** Exit codes: 2 wrong use, 3 not allowed, 4 not reachable, 5 timed out, 6 a result not shown, 1 anything else. */
function exitCodeOf(error: unknown): number {
  const { status, code } = (error ?? {}) as { status?: number; code?: string };
  if (error instanceof ConfigError) return 2;
  if (code === 'unreachable' || code === 'not-running') return 4;
  // The execution succeeded.
  if (code === 'unreadable-result') return 6;
  if (status === 401 || status === 403) return 3;
  if (status === 503) return 4;
  if (status === 504 || code === 'timeout') return 5;
  if (status === 422) return 2;
  return 1;
}

/** What to do when nothing answers at `url`. */
export function wayOutOf(url: string | undefined): string {
  const isBridge = /\/v1\/(nodes|label-settings|bridge|events)([/?]|$)/.test(url ?? '');
  const flags = isBridge ? 'the bridge is named by --bridge-url' : '--cloud-url and --edge-url name another';
  return `Is the platform running? "npm start" starts one; ${flags}.`;
}

/** Prints an error with its code and what to do next, and ends the process. */
export function fail(error: unknown, output: Output): never {
  const { code, detail, errors, executionId } = (error ?? {}) as {
    code?: string;
    detail?: string;
    errors?: readonly { pointer: string; detail: string }[];
    executionId?: string;
  };
  // The message of a refusal begins with its code, which is shown anyway.
  const text = detail ?? messageOf(error);
  if (output.isJson)
    console.log(
      JSON.stringify(
        { error: { code: code ?? 'error', detail: text, errors, execution_id: executionId } },
        null,
        2,
      ),
    );
  else {
    const shownCode = code === undefined ? '' : ` ${colors.bold(shownOn(process.stderr, code))}`;
    console.error(`${colors.red('error')}${shownCode}: ${shownOn(process.stderr, text)}`);
    // A single field stands in the text already.
    if (errors !== undefined && errors.length > 1)
      for (const one of errors) note(`  ${one.pointer}: ${one.detail}`);
    if (executionId !== undefined)
      note(`Execution ${executionId} succeeded; what it wrote: npx gantry executions logs ${executionId}`);
    if (code === 'unreachable') console.error(wayOutOf((error as { url?: string }).url));
  }
  process.exit(exitCodeOf(error));
}
