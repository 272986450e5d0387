import { nodeSubresources, reservedNodeNames } from '@gantry/contracts';
import { forwardedPath, pathSegments } from '@gantry/tunnel';

/** Where a request goes. `token` stood in the path: it is told apart at once and is not part of `url` any more. */
export type RequestPlan = { readonly url: string; readonly token: string | undefined } & (
  | { readonly kind: 'own' }
  | { readonly kind: 'tunnel' }
  | { readonly kind: 'register' }
  | { readonly kind: 'events'; readonly door: 'gantry' | 'original' }
  | {
      readonly kind: 'node';
      readonly door: 'gantry' | 'original';
      readonly node: string;
      readonly plugin: string;
      /** For the node: `/<plugin>/…` with the query, byte for byte. */
      readonly path: string;
    }
);

const tokenPrefix = /^\/t\/([A-Za-z0-9_=-]{1,4096})([/?].*)?$/s;
/** Shorter ones are no tokens. */
const leastTokenChars = 32;
const name = /^[A-Za-z0-9._-]{1,64}$/;
const isName = (segment: string | undefined): segment is string =>
  segment !== undefined && name.test(segment) && !/^\.+$/.test(segment);

/** @throws {AppError} malformed-request for a path to a node that has dot segments or bad characters */
export function planRequest(target: string): RequestPlan {
  const path = toOriginForm(target);
  const [, token, rest = '/t'] = tokenPrefix.exec(path) ?? [];
  const url = token === undefined ? path : rest;
  const segments = pathSegments(url) ?? [];
  const [first = '', second, third, fourth] = segments;
  const common = { url, token };
  if (first === 'v1' && token === undefined) {
    if (second === 'events' && segments.length === 2) return { ...common, kind: 'events', door: 'gantry' };
    if (second === 'nodes' && isName(third) && isName(fourth) && !nodeSubresources.has(fourth))
      return {
        ...{ ...common, kind: 'node', door: 'gantry', node: third, plugin: fourth },
        path: forwardedPath(url, 3) ?? '/',
      };
    return { ...common, kind: 'own' };
  }
  if (segments.length === 1) {
    if (first === 'tunnel') return { ...common, kind: 'tunnel' };
    if (first === 'register') return { ...common, kind: 'register' };
    if (first === 'events') return { ...common, kind: 'events', door: 'original' };
  }
  if (!reservedNodeNames.has(first.toLowerCase()) && isName(first) && isName(second))
    return {
      ...{ ...common, kind: 'node', door: 'original', node: first, plugin: second },
      path: forwardedPath(url, 1) ?? '/',
    };
  // A path with a token is for the doors of original clients only; what may be one is shown to nobody.
  const isKnown = token === undefined ? !mayShowToken(segments) : first === 'edge' || first === 'edges';
  return { ...common, kind: 'own', url: isKnown ? url : '/t' };
}

/** Without the host that a client of a proxy writes before it, and without slashes too many. */
function toOriginForm(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/^\/{2,}/, '/');
  return path.startsWith('/') || path === '*' ? path : `/${path}`;
}

/** A token that was not read, because the path to it is written in another way than it should be. */
const mayShowToken = (segments: readonly string[]): boolean =>
  segments.some(
    (segment, index) =>
      segment.toLowerCase() === 't' && (index === 0 || (segments[index + 1]?.length ?? 0) >= leastTokenChars),
  );
