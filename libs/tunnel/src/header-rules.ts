/** Which header fields cross the tunnel: pure rules of RFC 9110 section 7.6.1 and RFC 9113 section 8.2.2. */
import { AppError } from '@gantry/kernel';
import type { AnswerHeaders, HeaderFields } from './types.js';

/** Meant for one connection only; also what HTTP/2 forbids. */
const connectionSpecific: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Fields that may stand once only (http2 refuses two); of several the first counts, as in node:http. */
const single: ReadonlySet<string> = new Set(
  (
    'access-control-allow-credentials access-control-max-age access-control-request-method age authorization ' +
    'content-encoding content-language content-length content-location content-md5 content-range content-type date ' +
    'dnt etag expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified ' +
    'location max-forwards range referer retry-after tk upgrade-insecure-requests user-agent x-content-type-options'
  ).split(' '),
);

const credentials: ReadonlySet<string> = new Set(['authorization', 'cookie']);

const isName = (name: string) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name);
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that a field value may not have
const isValue = (value: string) => !/[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/.test(value);

export interface RequestHeaderOptions {
  /** Removes `Authorization` and `Cookie`: on routes where the node must not see who signed in with what. */
  readonly stripCredentials?: boolean;
  /** Removed as well, lower-case. */
  readonly strip?: readonly string[];
  /** Set last, so that no field of the caller (also none named in `Connection`) can remove or add to them. */
  readonly set?: HeaderFields;
}

/**
 * The fields of an HTTP/1.1 request that go to the node. `rawHeaders` is the flat list of node:http, because its
 * object has already lost what came twice. `Host` becomes `:authority` elsewhere; `Expect` is answered by the bridge.
 */
export function toRequestHeaders(
  rawHeaders: readonly string[],
  options: RequestHeaderOptions = {},
): AnswerHeaders {
  const fields = groupFields(rawHeaders);
  dropConnectionSpecific(fields);
  fields.delete('host');
  fields.delete('expect');
  if (options.stripCredentials === true) for (const name of credentials) fields.delete(name);
  for (const name of options.strip ?? []) fields.delete(name);
  // Crumbs of a cookie belong together (RFC 9113, 8.2.3).
  const cookies = fields.get('cookie');
  if (cookies !== undefined) fields.set('cookie', [cookies.join('; ')]);
  for (const [name, value] of Object.entries(options.set ?? {})) {
    fields.delete(name.toLowerCase());
    if (value !== undefined) fields.set(name.toLowerCase(), typeof value === 'string' ? [value] : [...value]);
  }
  return toObject(fields);
}

/**
 * The fields of a node's answer that go to the caller: nothing connection-specific, `content-length` only if it is one
 * number and the status may have it. Arrays stay arrays, above all `set-cookie`.
 */
export function toAnswerHeaders(rawHeaders: readonly string[], status = 200): AnswerHeaders {
  const fields = groupFields(rawHeaders);
  dropConnectionSpecific(fields);
  const lengths = new Set(fields.get('content-length'));
  const [length = ''] = lengths;
  if (lengths.size !== 1 || !/^\d{1,15}$/.test(length) || status < 200 || status === 204)
    fields.delete('content-length');
  else fields.set('content-length', [length]);
  return toObject(fields);
}

/** Trailers in either direction: nothing that frames or routes a message (RFC 9110, 6.5.1). */
export function toTrailers(rawTrailers: readonly string[]): AnswerHeaders {
  const fields = groupFields(rawTrailers);
  dropConnectionSpecific(fields);
  for (const name of [
    'content-length',
    'host',
    'trailer',
    'content-encoding',
    'content-type',
    'content-range',
  ])
    fields.delete(name);
  for (const name of credentials) fields.delete(name);
  return toObject(fields);
}

/**
 * Fields as they are handed to http2: lower-case, checked, without what HTTP/2 forbids. A bad name would otherwise
 * end the whole session.
 * @throws malformed-request for a name or value that no field may have, header-too-large above the limits
 */
export function toHttp2Fields(
  headers: HeaderFields,
  limits: { readonly maxHeaderListBytes: number; readonly maxHeaderCount: number },
  /** What the pseudo fields take. */
  reservedBytes = 0,
): Record<string, string | string[]> {
  const raw: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    for (const item of typeof value === 'string' ? [value] : value) raw.push(name, item);
  }
  checkFields(raw);
  checkSize(raw, limits, reservedBytes);
  const fields = groupFields(raw);
  const te = fields.get('te');
  dropConnectionSpecific(fields);
  // The one value that HTTP/2 allows; it tells the node that trailers are welcome.
  if (te?.some((value) => value.trim().toLowerCase() === 'trailers')) fields.set('te', ['trailers']);
  return toObject(fields);
}

/** Size of a flat header list as HPACK counts it. */
export function headerListBytes(rawHeaders: readonly string[]): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += Buffer.byteLength(text, 'latin1') + 16;
  return bytes;
}

function checkSize(
  raw: readonly string[],
  limits: { readonly maxHeaderListBytes: number; readonly maxHeaderCount: number },
  reservedBytes: number,
): void {
  const count = raw.length / 2;
  if (count > limits.maxHeaderCount)
    throw new AppError('header-too-large', `${count} header fields; a node takes ${limits.maxHeaderCount}`);
  const bytes = headerListBytes(raw) + reservedBytes;
  if (bytes > limits.maxHeaderListBytes)
    throw new AppError(
      'header-too-large',
      `The headers take ${bytes} bytes; a node takes ${limits.maxHeaderListBytes}`,
    );
}

function checkFields(raw: readonly string[]): void {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (!isName(name.toLowerCase()))
      throw new AppError('malformed-request', `${JSON.stringify(name)} is no name of a header field`);
    if (!isValue(raw[index + 1] ?? ''))
      throw new AppError('malformed-request', `The header ${name} has characters that no field may have`);
  }
}

/** By lower-case name; pseudo fields and what may stand once only are settled here. */
function groupFields(raw: readonly string[]): Map<string, string[]> {
  const fields = new Map<string, string[]>();
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase();
    const value = raw[index + 1] ?? '';
    if (name.startsWith(':')) continue;
    const present = fields.get(name);
    if (present === undefined) fields.set(name, [value]);
    else if (!single.has(name) || name === 'content-length') present.push(value);
  }
  return fields;
}

/** What `Connection` lists goes too, but never what frames the body: that would let a caller change its meaning. */
function dropConnectionSpecific(fields: Map<string, string[]>): void {
  for (const value of fields.get('connection') ?? [])
    for (const listed of value.split(',')) {
      const name = listed.trim().toLowerCase();
      if (name !== 'content-length') fields.delete(name);
    }
  for (const name of connectionSpecific) fields.delete(name);
}

function toObject(fields: ReadonlyMap<string, string[]>): AnswerHeaders {
  const object: AnswerHeaders = Object.create(null) as AnswerHeaders;
  for (const [name, values] of fields) {
    const [only = ''] = values;
    object[name] = values.length === 1 && name !== 'set-cookie' ? only : values;
  }
  return object;
}
