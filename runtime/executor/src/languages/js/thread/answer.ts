import { Buffer } from 'node:buffer';
import { leastJsonChars } from './least-size.js';

/** A result that cannot be sent; `code` is one of the execution error codes. */
export class ResultError extends Error {
  readonly code: 'result-not-serializable' | 'result-too-large';
  constructor(code: 'result-not-serializable' | 'result-too-large', text: string) {
    super(text);
    this.name = 'ResultError';
    this.code = code;
  }
}

const { stringify } = JSON;
const { get: getProperty } = Reflect;
/** A result that is a little too large is told its size, for which its text has to be made. */
const exactWithinBytes = 1024 * 1024;
const { max } = Math;
const answerHead = '{"ret_code":0,"res":"';
const answerTail = '","err":null}';

/** Whatever was thrown may be the function's own and fight back, a Proxy for one. */
function readMessage(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  try {
    const message = getProperty(thrown, 'message') as unknown;
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

const tooLarge = (limitBytes: number): ResultError =>
  new ResultError('result-too-large', `larger than ${limitBytes} bytes`);

/** Whether making its text may fill the heap of the function, which has to do with its result, not with its memory. */
function isFarBeyond(value: unknown, limitBytes: number): boolean {
  const farBytes = limitBytes + max(limitBytes, exactWithinBytes);
  try {
    return leastJsonChars(value, farBytes) > farBytes;
  } catch {
    return false; // It throws while being read, and will again.
  }
}

function toJson(value: unknown, limitBytes: number): string {
  if (value === undefined) return 'null';
  if (isFarBeyond(value, limitBytes)) throw tooLarge(limitBytes);
  let json: string | undefined;
  try {
    json = stringify(value);
  } catch (error) {
    const text = readMessage(error) ?? 'it throws while being read';
    // V8's word for a JSON text beyond its longest string.
    if (text.includes('Invalid string length')) throw tooLarge(limitBytes);
    throw new ResultError('result-not-serializable', text);
  }
  if (json === undefined)
    throw new ResultError('result-not-serializable', `a ${typeof value} has no JSON form`);
  return json;
}

/**
 * The exact bytes of the caller's answer, as one-byte text (all of it is ASCII). `undefined` becomes `null`.
 * @throws {ResultError}
 */
export function buildAnswer(value: unknown, limitBytes: number): string {
  const json = toJson(value, limitBytes);
  const sizeBytes = Buffer.byteLength(json, 'utf8');
  if (sizeBytes > limitBytes) {
    throw new ResultError(
      'result-too-large',
      `the result has ${sizeBytes} bytes, the limit is ${limitBytes}`,
    );
  }
  return answerHead + Buffer.from(json, 'utf8').toString('base64') + answerTail;
}
