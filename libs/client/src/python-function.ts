import { encodeBase64 } from './base64.js';
import { GantryError } from './gantry-error.js';
import { writePickledCall } from './pickle/write-pickle.js';
import { candidatesOf, findTopLevelFunctions } from './python-source.js';

export interface PythonFunctionOptions {
  /** Which function of the source is called; needed only when it has several, not counting names that begin with `_`. */
  readonly name?: string;
  /** Of the file, for tracebacks; `function.py` unless given. */
  readonly fileName?: string;
}

/**
 * A Python function that can be uploaded and called. The type parameters say what it takes and gives.
 * Made by {@link pythonFunction}.
 */
export class PythonFunction<P extends readonly unknown[] = unknown[], R = unknown> {
  readonly language = 'PY';
  readonly name: string;
  /** The function as COGNIT's Python runtimes take it: base64 of a pickle. */
  readonly code: string;
  /** Only in types. */
  declare protected readonly types: { readonly parameters: P; readonly result: R };

  constructor(name: string, code: string) {
    this.name = name;
    this.code = code;
  }
}

/**
 * What is evaluated where the function is loaded: runs the source as a module of its own and gives its function. The
 * lines go to `linecache`, so that tracebacks show them. `namespace` is the module's globals.
 */
const expression = [
  "(__import__('linecache').cache.__setitem__(filename, (len(source), None, source.splitlines(True), filename))",
  "exec(compile(source, filename, 'exec'), namespace)",
  'namespace[name])[2]',
].join(', ');

/**
 * A function from the text of a Python file. No Python is needed here: what is uploaded is a pickle that runs the whole
 * file where the function is loaded, so imports and helpers of the file are there.
 * @throws {GantryError} invalid-function when the file has no function at its top level, several and no name was given,
 * or an async one
 *
 * @example
 * const area = pythonFunction<[number], number>('import math\n\ndef area(r):\n    return math.pi * r * r\n');
 * const result = await device.call(area, 2);
 */
export function pythonFunction<P extends readonly unknown[] = unknown[], R = unknown>(
  source: string,
  options: PythonFunctionOptions = {},
): PythonFunction<P, R> {
  const fileName = options.fileName ?? 'function.py';
  const text = source.replace(/^\uFEFF/, '');
  if (text.includes('\0')) throw invalid(`${fileName} holds a zero byte and is no Python source`);
  const name = chooseFunction(text, fileName, options.name);
  // Not "__main__", so that what a file does only as a program is not done.
  const moduleName = fileName.replace(/\.py$/, '').replaceAll(/[^\p{ID_Continue}]/gu, '_');
  const pickle = writePickledCall('builtins', 'eval', [
    expression,
    { source: text, filename: fileName, name, namespace: { __name__: moduleName } },
  ]);
  return new PythonFunction<P, R>(name, encodeBase64(pickle));
}

function chooseFunction(source: string, fileName: string, wanted: string | undefined): string {
  const functions = findTopLevelFunctions(source);
  const candidates = wanted === undefined ? candidatesOf(functions) : functions;
  const names = candidates.map(({ name }) => name).join(', ');
  if (functions.length === 0) throw invalid(`${fileName} has no function at its top level`);
  const found = wanted === undefined ? candidates[0] : functions.find(({ name }) => name === wanted);
  if (found === undefined)
    throw invalid(`${fileName} has no function "${wanted}" at its top level; it has ${names}`);
  if (wanted === undefined && candidates.length > 1)
    throw invalid(
      `${fileName} has several functions at its top level: ${names}. Keep one of them there, or name the one to call`,
    );
  if (found.isAsync)
    throw invalid(`"${found.name}" of ${fileName} is async; Python functions are called, not awaited`);
  return found.name;
}

const invalid = (detail: string) => new GantryError({ code: 'invalid-function', detail });
