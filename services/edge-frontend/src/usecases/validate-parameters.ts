/**
 * Checks the parameters of a call: a JSON array of base64 strings, as bytes that are forwarded unchanged. Hot path:
 * one pass over the bytes without a copy; only what this pass does not understand is parsed, to say what is wrong.
 */
import { isBase64 } from '@gantry/contracts';
import { AppError, messageOf } from '@gantry/kernel';

const quote = 0x22;
const comma = 0x2c;
const equals = 0x3d;
const opening = 0x5b;
const closing = 0x5d;

const isBase64Byte = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9+/]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/** @throws {AppError} invalid-request; its pointer names the element */
export function validateParameters(bytes: Buffer): void {
  if (bytes.length === 0) throw invalid('/body', 'is required: a JSON array of base64 strings');
  if (!isPlainArray(bytes)) validateParsed(bytes);
}

/** Whether the bytes are such an array, spelled without escapes. False proves nothing. */
function isPlainArray(bytes: Buffer): boolean {
  const end = bytes.length;
  let at = skipBlanks(bytes, 0);
  if (bytes[at] !== opening) return false;
  at = skipBlanks(bytes, at + 1);
  if (bytes[at] === closing) return skipBlanks(bytes, at + 1) === end;
  for (;;) {
    if (bytes[at] !== quote) return false;
    const start = at + 1;
    at = start;
    while (at < end && isBase64Byte[bytes[at] as number] === 1) at += 1;
    for (let padding = 0; padding < 2 && bytes[at] === equals; padding += 1) at += 1;
    if (bytes[at] !== quote || (at - start) % 4 !== 0) return false;
    at = skipBlanks(bytes, at + 1);
    if (bytes[at] === closing) return skipBlanks(bytes, at + 1) === end;
    if (bytes[at] !== comma) return false;
    at = skipBlanks(bytes, at + 1);
  }
}

function skipBlanks(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at += 1;
  return at;
}

function validateParsed(bytes: Buffer): void {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw invalid('/body', 'must be JSON: an array of base64 strings', error);
  }
  if (!Array.isArray(value)) throw invalid('/body', 'must be a JSON array of base64 strings');
  for (const [index, item] of value.entries()) {
    if (typeof item !== 'string') throw invalid(`/body/${index}`, 'must be a string');
    if (!isBase64(item)) throw invalid(`/body/${index}`, 'must be base64 (RFC 4648 section 4, padded)');
  }
}

const invalid = (pointer: string, detail: string, cause?: unknown): AppError =>
  new AppError('invalid-request', `${pointer}: ${detail}`, {
    errors: [{ pointer, detail }],
    ...(cause === undefined ? {} : { cause: messageOf(cause) }),
  });
