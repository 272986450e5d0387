import { execFileSync } from 'node:child_process';

const python = '/usr/bin/python3';

/** Runs Python source and answers what it prints; `input` is its standard input. */
export const runPython = (source: string, input: string | Uint8Array = ''): string =>
  execFileSync(python, ['-c', source], { input, maxBuffer: 256 * 1024 * 1024 }).toString('utf8');

const dumpAll = `
import base64, json, pickle, sys
import collections, datetime, decimal
for expression in json.load(sys.stdin):
    value = eval(expression)
    print(json.dumps([base64.b64encode(pickle.dumps(value, protocol)).decode() for protocol in range(6)]))
`;

/** The pickles of Python expressions in the protocols 0 to 5, by expression. */
export function pickleInPython(expressions: readonly string[]): Map<string, Uint8Array[]> {
  const lines = runPython(dumpAll, JSON.stringify(expressions)).trim().split('\n');
  return new Map(
    expressions.map((expression, index) => [
      expression,
      (JSON.parse(lines[index] ?? '') as string[]).map((one) => new Uint8Array(Buffer.from(one, 'base64'))),
    ]),
  );
}

const showAll = `
import base64, json, pickle, sys
def shape(value):
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, [shape(item) for item in value]]
    if isinstance(value, set):
        return ['set', sorted((shape(item) for item in value), key=repr)]
    if isinstance(value, dict):
        return ['dict', [[shape(key), shape(item)] for key, item in value.items()]]
    text = repr(value)
    return [type(value).__name__, text if len(text) < 1000 else len(value)]
for line in sys.stdin:
    print(json.dumps(shape(pickle.loads(base64.b64decode(line)))))
`;

/** What Python has after loading pickles: the type and the `repr` of everything in them, of what is long the length. */
export const loadInPython = (pickles: readonly Uint8Array[]): unknown[] =>
  runPython(showAll, pickles.map((one) => Buffer.from(one).toString('base64')).join('\n'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
