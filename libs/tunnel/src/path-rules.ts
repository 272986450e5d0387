/** Paths cross the tunnel byte for byte: no decoding, so that %2F and %3F stay what the caller wrote. */
import { AppError } from '@gantry/kernel';

/** A segment that a server may take for "here" or "one up", also when it is percent-encoded. */
const isDotSegment = (segment: string) => /^(\.|%2e){1,2}(;.*)?$/i.test(segment);

/**
 * A request target that may be sent to a node, unchanged.
 * @throws malformed-request for anything but origin form in visible ASCII without dot segments: a node that resolved
 * `..` would serve another plugin than the one that was allowed
 */
export function checkPath(path: string): string {
  if (!path.startsWith('/')) throw new AppError('malformed-request', 'The path must begin with a slash');
  if (!/^[\x21-\x7e]*$/.test(path) || path.includes('#') || path.includes('\\'))
    throw new AppError('malformed-request', 'The path has characters that must be percent-encoded');
  const query = path.indexOf('?');
  const segments = (query === -1 ? path : path.slice(0, query)).split('/');
  if (segments.some(isDotSegment)) throw new AppError('malformed-request', 'The path has dot segments');
  return path;
}

/**
 * What is left of a request target after its first `segments` segments, with the query: `/a/b/c%2Fd?x` without 2 is
 * `/c%2Fd?x`. `undefined` when there are fewer.
 * @throws malformed-request as {@link checkPath}
 */
export function forwardedPath(target: string, segments: number): string | undefined {
  checkPath(target);
  const query = target.indexOf('?');
  const end = query === -1 ? target.length : query;
  let at = 0;
  for (let count = 0; count < segments; count += 1) {
    if (at >= end) return undefined;
    const next = target.indexOf('/', at + 1);
    at = next === -1 || next > end ? end : next;
  }
  const tail = target.slice(at);
  return tail.startsWith('/') ? tail : `/${tail}`;
}

/** The decoded segments of the path of a request target; undefined when one of them is not valid UTF-8. */
export function pathSegments(target: string): string[] | undefined {
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  try {
    return path.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
