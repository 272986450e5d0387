/** How what is typed at the command line becomes parameters of a function, and its results become what is shown. */
import {
  codecOf,
  decodeResult,
  GantryError,
  PickleError,
  type PythonInput,
  type PythonValue,
  pythonFloat,
} from '@gantry/client';
import type { Language } from '@gantry/contracts';
import { UsageError } from './usage-error.js';

/** A result as JSON has it, and as text for people. */
export interface Reading {
  readonly value: unknown;
  readonly text: string;
}

/** More would not be read by anybody; values that share parts grow beyond all bounds when they are written out. */
const maxShownValues = 1_000_000;
/** Deeper ones are a mistake or an attack, and take more stack than there is. */
const maxDepth = 500;

/**
 * A word as a parameter: JSON, or else a text, so that `call 1 hello` works. What begins like JSON has to be JSON.
 * @throws {UsageError} for what was meant as JSON and is none; {GantryError} unsupported-language
 */
export function encodeParameter(language: Language, word: string): string {
  const json = toJson(word);
  const codec = codecOf(language);
  return codec.encode(language === 'PY' ? parseForPython(json) : JSON.parse(json));
}

/** @throws {GantryError} unreadable-result for a Python object that is no plain value, unsupported-language */
export function readResult(language: Language, res: string, executionId?: string): Reading {
  const decoded = decodeResult(codecOf(language), res, executionId);
  const value = language === 'PY' ? toShownValue(decoded as PythonValue, executionId) : decoded;
  // A function without a result gives `null`.
  return { value, text: JSON.stringify(value) };
}

function toShownValue(decoded: PythonValue, executionId: string | undefined): unknown {
  try {
    return toJsonValue(decoded);
  } catch (cause) {
    if (!(cause instanceof PickleError)) throw cause;
    throw new GantryError({ code: 'unreadable-result', detail: cause.message, cause, executionId });
  }
}

function toJson(word: string): string {
  try {
    JSON.parse(word);
    return word;
  } catch {
    if (/^[{["]/.test(word))
      throw new UsageError(
        `a parameter begins like JSON but is not valid JSON: ${word} (to pass it as a text, quote it as a JSON string: ${inShell(JSON.stringify(word))})`,
      );
    return JSON.stringify(word);
  }
}

const inShell = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Texts and numbers of JSON; every other character of a valid document stands for itself. */
const scalar = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON with Python's eyes: `2.0` stays a float, and `12345678901234567890` exact, which `JSON.parse` forgets. */
export function parseForPython(json: string): PythonInput {
  const marked = json.replaceAll(scalar, (one) => (one.startsWith('"') ? `"t${one.slice(1)}` : `"n${one}"`));
  const unmark = (value: unknown, depth = 0): PythonInput => {
    if (depth > maxDepth) throw new UsageError(`a parameter lies more than ${maxDepth} levels deep`);
    if (typeof value === 'string')
      return value.startsWith('n') ? toPythonNumber(value.slice(1)) : value.slice(1);
    if (Array.isArray(value)) return value.map((item) => unmark(item, depth + 1));
    if (typeof value !== 'object' || value === null) return value as boolean | null;
    // Keys are texts, and marked as such.
    return new Map(Object.entries(value).map(([key, item]) => [key.slice(1), unmark(item, depth + 1)]));
  };
  return unmark(JSON.parse(marked));
}

const toPythonNumber = (text: string): PythonInput =>
  /^-?\d+$/.test(text) ? BigInt(text) : pythonFloat(Number(text));

/**
 * What Python answered, as JSON can say it: bytes as base64, sets as lists, keys as texts, and as texts too the
 * numbers that JSON has not (`NaN`, `Infinity`) and those too large to be exact.
 * @throws {PickleError} when a value contains itself or lies too deep, or two keys of a dict are the same text
 */
export function toJsonValue(value: PythonValue): unknown {
  const path = new Set<unknown>();
  let count = 0;
  const inside = (one: object, work: () => unknown): unknown => {
    if (path.has(one)) throw new PickleError('the result contains itself, which JSON cannot say');
    if (path.size >= maxDepth) throw new PickleError(`the result lies more than ${maxDepth} levels deep`);
    path.add(one);
    const made = work();
    path.delete(one);
    return made;
  };
  const convert = (one: PythonValue): unknown => {
    count += 1;
    if (count > maxShownValues) throw new PickleError(`the result has more than ${maxShownValues} values`);
    if (typeof one === 'bigint') return String(one);
    if (typeof one === 'number') return Number.isFinite(one) ? one : String(one);
    if (typeof one !== 'object' || one === null) return one;
    if (one instanceof Uint8Array) return Buffer.from(one).toString('base64');
    if (Array.isArray(one) || one instanceof Set) return inside(one, () => [...one].map(convert));
    const entries = one instanceof Map ? [...one] : Object.entries(one);
    return inside(one, () => {
      const made = new Map<string, unknown>();
      for (const [key, item] of entries) {
        const text = toKey(convert(key));
        if (made.has(text)) throw new PickleError(`a dict has two keys that are both ${text} in JSON`);
        made.set(text, convert(item));
      }
      return Object.fromEntries(made);
    });
  };
  return convert(value);
}

const toKey = (key: unknown): string => (typeof key === 'string' ? key : JSON.stringify(key));
