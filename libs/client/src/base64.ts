/** Bytes converted at once: arguments of `String.fromCharCode` live on the stack. */
const chunkBytes = 0x8000;

/** Standard, padded base64 of bytes; works in browsers, which have no Buffer. */
export function encodeBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += chunkBytes)
    parts.push(String.fromCharCode(...bytes.subarray(offset, offset + chunkBytes)));
  return btoa(parts.join(''));
}

/** @throws {DOMException} when `text` is not base64 */
export function decodeBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Base64 of UTF-8 text. */
export const encodeText = (text: string): string => encodeBase64(new TextEncoder().encode(text));

/** Base64 of a value's JSON: how parameters of JavaScript functions travel. `undefined` travels as `null`. */
export const encodeJson = (value: unknown): string =>
  encodeText(JSON.stringify(value === undefined ? null : value));

/** @throws {SyntaxError} or {DOMException} when `text` is not base64 of JSON */
export const decodeJson = (text: string): unknown => JSON.parse(new TextDecoder().decode(decodeBase64(text)));
