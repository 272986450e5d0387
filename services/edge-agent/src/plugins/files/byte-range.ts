/** Ranges and conditions of requests for a file (RFC 9110 sections 13 and 14). Pure. */
import { AppError } from '@gantry/kernel';

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/**
 * The range that is asked for; undefined means the whole file: no header, several ranges (which a server may answer
 * whole), or a header that is not well-formed (which it must ignore).
 * @throws {AppError} range-not-satisfiable with the size in Content-Range
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const range =
    first === ''
      ? { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes - 1 }
      : { start: Number(first), end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) };
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const isEmptySuffix = first === '' && Number(last) === 0;
  if (range.start >= sizeBytes || isEmptySuffix)
    throw new AppError('range-not-satisfiable', `The file has ${sizeBytes} bytes`, {
      headers: { 'content-range': `bytes */${sizeBytes}` },
    });
  return range;
}

/** Whether a list of entity tags (`*`, `"a", W/"b"`) has this one; weak ones match only where `isWeak`. */
export function hasEtag(header: string, etag: string | undefined, isWeak: boolean): boolean {
  if (header.trim() === '*') return etag !== undefined;
  return header
    .split(',')
    .map((tag) => tag.trim())
    .some((tag) => tag === etag || (isWeak && tag === `W/${etag}`));
}

export interface Conditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/**
 * @param etag undefined: there is no such file
 * @throws {AppError} precondition-failed, for a change
 */
export function demandConditions({ ifMatch, ifNoneMatch }: Conditions, etag: string | undefined): void {
  if (ifMatch !== undefined && !hasEtag(ifMatch, etag, false))
    throw new AppError('precondition-failed', 'The file is not the one that If-Match names');
  if (ifNoneMatch !== undefined && hasEtag(ifNoneMatch, etag, true))
    throw new AppError('precondition-failed', 'The file is one that If-None-Match excludes');
}
