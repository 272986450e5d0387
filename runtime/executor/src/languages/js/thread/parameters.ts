import { Buffer } from 'node:buffer';

/** The parameters cannot be understood; the message says which one and why. */
export class ParameterError extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'ParameterError';
  }
}

const { parse } = JSON;
const { isArray } = Array;
const OwnError = Error;

/** Bytes that `text` decodes to if it is standard, padded base64. */
function decodedLength(text: string): number {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}

function parseParameter(item: unknown, index: number): unknown {
  const name = `parameter ${index + 1}`;
  if (typeof item !== 'string') throw new ParameterError(`${name} is not a string`);
  const bytes = Buffer.from(item, 'base64');
  // Node skips what is not base64, so the length tells whether all of it was.
  if (item.length % 4 !== 0 || bytes.length !== decodedLength(item))
    throw new ParameterError(`${name} is not base64`);
  try {
    return parse(bytes.toString('utf8')) as unknown;
  } catch (error) {
    throw new ParameterError(
      `${name} is not JSON: ${error instanceof OwnError ? error.message : 'unreadable'}`,
    );
  }
}

/**
 * The values of a call from the caller's own bytes: a JSON array of strings, each base64 of JSON. Latin-1 text is
 * right for the bytes, because base64 has no other characters and anything else is refused anyway.
 * @throws {ParameterError}
 */
export function parseParameters(bytes: string | Uint8Array): unknown[] {
  const text =
    typeof bytes === 'string'
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  let list: unknown;
  try {
    list = text === '' ? [] : parse(text);
  } catch {
    throw new ParameterError('the parameters are not a JSON array');
  }
  if (!isArray(list)) throw new ParameterError('the parameters are not a JSON array');
  return list.map(parseParameter);
}
