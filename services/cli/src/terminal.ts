/** What commands print: results on standard output, everything else on standard error. */
import { ConfigError } from '@gantry/config';
import { messageOf } from '@gantry/kernel';
import Table from 'cli-table3';
import colors from 'picocolors';

export interface Output {
  /** One JSON document instead of text for people. */
  readonly isJson: boolean;
}

/** The answer of a command: `value` with `--json`, else `text`. */
export function printResult(output: Output, value: unknown, text: string): void {
  console.log(output.isJson ? JSON.stringify(value, null, 2) : text);
}

/** Rows under headings; says so when there are none. */
export function toTable(
  headings: readonly string[],
  rows: readonly (readonly unknown[])[],
  nothing: string,
): string {
  if (rows.length === 0) return nothing;
  const table = new Table({
    head: headings.map((heading) => colors.bold(heading)),
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
    table.push(row.map((cell) => (cell === null || cell === undefined ? '-' : String(cell))));
  return table.toString();
}

/** A line about what goes on. */
export function note(text: string): void {
  console.error(text);
}

/**
 * Says what is being waited for when it takes longer than two seconds, and how long it has taken so far.
 * @returns what `work` returns
 */
export async function withProgress<T>(what: string, work: Promise<T>): Promise<T> {
  const startMs = performance.now();
  const timer = setInterval(() => {
    note(colors.dim(`${what} … ${Math.round((performance.now() - startMs) / 1000)} s`));
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
    console.error(`${colors.red('error')}${code === undefined ? '' : ` ${colors.bold(code)}`}: ${text}`);
    // A single field stands in the text already.
    if (errors !== undefined && errors.length > 1)
      for (const one of errors) console.error(`  ${one.pointer}: ${one.detail}`);
    if (executionId !== undefined)
      console.error(
        `Execution ${executionId} succeeded; what it wrote: npx gantry executions logs ${executionId}`,
      );
    if (code === 'unreachable')
      console.error(
        'Is the platform running? "npm start" starts one; --cloud-url and --edge-url name another.',
      );
  }
  process.exit(exitCodeOf(error));
}
