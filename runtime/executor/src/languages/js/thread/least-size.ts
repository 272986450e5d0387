import { Buffer } from 'node:buffer';
import { types } from 'node:util';

/**
 * A bound from below on the JSON text of a value, found without making that text: a result far beyond its limit would
 * fill the heap of its function first. Runs no code of the function but indexed getters of arrays.
 */
const { isArray } = Array;
const { keys, getOwnPropertyDescriptor } = Object;
const { has } = Reflect;
const { isBuffer } = Buffer;
const { isProxy, isTypedArray } = types;

/** So that it stays small beside making the text; what is large by the number of its parts fills the heap anyway. */
const maxParts = 2000;
/** A character and a comma. */
const leastElementChars = 2;

/** Characters the JSON of `value` has at least; counts no further than `enough`. */
export function leastJsonChars(value: unknown, enough: number): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  const waiting: object[] = [value];
  let parts = 0;
  let chars = 0;
  const count = (part: unknown): void => {
    parts += 1;
    if (typeof part === 'string') chars += part.length;
    else if (typeof part === 'object' && part !== null) waiting[waiting.length] = part;
  };
  for (let at = 0; at < waiting.length && parts < maxParts && chars <= enough; at += 1) {
    const one = waiting[at];
    if (one === undefined || isProxy(one)) continue;
    if (isBuffer(one)) chars += one.length * leastElementChars;
    else if (has(one, 'toJSON')) continue;
    else if (isTypedArray(one)) chars += one.length * leastElementChars;
    else if (isArray(one)) {
      chars += one.length * leastElementChars;
      for (let index = 0; index < one.length && parts < maxParts; index += 1) count(one[index]);
    } else {
      for (const name of keys(one)) {
        if (parts >= maxParts) break;
        chars += name.length;
        count(getOwnPropertyDescriptor(one, name)?.value);
      }
    }
  }
  return chars;
}
