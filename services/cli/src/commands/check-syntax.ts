/** What is certainly wrong with the source of a function: found where it is pushed, not when it is called. */
import { spawnSync } from 'node:child_process';

const withinMs = 10_000;

/** A default export has these two words in this order, however it is written. */
const defaultExport = /\bexport\b[\s\S]*\bdefault\b/;

/** @returns what is wrong with an ES module; undefined when nothing is found */
export function faultOfModule(source: Buffer): string | undefined {
  const { status, stderr } = spawnSync(process.execPath, ['--check', '--input-type=module', '-'], {
    input: source,
    timeout: withinMs,
    encoding: 'utf8',
    env: {},
  });
  if (status === 1 && /^SyntaxError: /m.test(stderr)) {
    const line = /^\[stdin\]:(\d+)$/m.exec(stderr)?.[1];
    const message = /^SyntaxError: .*$/m.exec(stderr)?.[0];
    return `${line === undefined ? '' : `line ${line}: `}${message}`;
  }
  if (defaultExport.test(source.toString('utf8'))) return undefined;
  return 'it has no default export, which is what is called: "export default (a, b) => …"';
}

/** Compiles and does not run. An older Python than those of runtimes knows less than they do: it is not asked. */
const pythonCheck = `
import sys
if sys.version_info >= (3, 11):
    try:
        compile(sys.stdin.buffer.read(), "function", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        print(f"line {getattr(error, 'lineno', None) or 1}: {type(error).__name__}: {getattr(error, 'msg', error)}")
`;

/** @returns what is wrong with Python source; undefined when nothing is found, or no Python is here to ask */
export function faultOfPython(source: string, program = 'python3'): string | undefined {
  const { status, stdout } = spawnSync(program, ['-I', '-S', '-W', 'ignore', '-c', pythonCheck], {
    input: source,
    timeout: withinMs,
    encoding: 'utf8',
  });
  const said = status === 0 ? stdout.trim() : '';
  return said === '' ? undefined : said;
}
