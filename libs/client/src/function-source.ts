import type { Language } from '@gantry/contracts';
import { GantryError } from './gantry-error.js';
import type { PythonFunction } from './python-function.js';

// The parameters of a function stand on the left of an arrow, where only `never` takes every function.
/** Any function whose text can be sent. */
export type FunctionLike = (...parameters: never[]) => unknown;

/** A function whose code is sent: a function, the source of an ES module with a default export, or a Python function. */
export type SentFunction = FunctionLike | string | PythonFunction<readonly unknown[]>;

/** A function that is stored already; JavaScript unless `language` says otherwise. */
export interface StoredFunctionRef {
  readonly id: number;
  readonly language?: Language;
}

/** What can be called. */
export type OffloadedFunction = SentFunction | StoredFunctionRef;

export const isStored = (fn: OffloadedFunction): fn is StoredFunctionRef =>
  typeof fn === 'object' && 'id' in fn;

/** The language of a function, which decides how its parameters travel. */
export const languageOf = (fn: OffloadedFunction): Language =>
  typeof fn === 'object' ? (fn.language ?? 'JS') : 'JS';

/**
 * The ES module that is uploaded for a function. The function is sent as its text, so it can use its parameters,
 * its own variables and the globals of the runtime, but nothing of the scope around it: no imports, no closures,
 * no `this`.
 * @throws {GantryError} invalid-function for built-in and bound functions and for methods, whose text is no function
 */
export function toModuleSource(fn: FunctionLike | string): string {
  if (typeof fn === 'string') return fn;
  const text = fn.toString();
  const name = fn.name === '' ? 'The function' : `The function "${fn.name}"`;
  if (/\{\s*\[native code\]\s*\}\s*$/.test(text))
    throw invalidFunction(
      `${name} is built in or bound and has no text to send; wrap it in an arrow function`,
    );
  if (/^class\b/.test(text)) throw invalidFunction(`${name} is a class; give a function`);
  if (!isFunctionExpression(text))
    throw invalidFunction(
      `${name} is a method, whose text is no function of its own; wrap it in an arrow function`,
    );
  // esbuild and tsx wrap inner functions in calls of `__name`, which exists only in the module they wrote.
  const prelude = text.includes('__name(') ? 'const __name = (target) => target;\n' : '';
  return `${prelude}export default ${text};\n`;
}

/** Methods read `name() {…}`, `async name() {…}`, `get name() {…}`; everything else starts like this. */
const isFunctionExpression = (text: string): boolean =>
  /^(async\b\s*)?(function\b|\(|[\p{ID_Start}$_][\p{ID_Continue}$]*\s*=>)/u.test(text) &&
  !/^async\s*\([^)]*\)\s*\{/.test(text);

const invalidFunction = (detail: string) => new GantryError({ code: 'invalid-function', detail });
