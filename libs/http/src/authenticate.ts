import type { IncomingMessage } from 'node:http';
import { isAdministrator, type Principal, type RouteAuth } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { BasicCredentials, TokenCaller } from './route.js';

/** How a service knows its callers; leave out what no route of it needs. */
export interface Authenticators {
  /** Answers at once for a token it has seen. @throws {AppError} invalid-token and its like */
  readonly verifyToken?: (token: string) => { principal: Principal } | Promise<{ principal: Principal }>;
  /** Compares in constant time. */
  readonly isRuntimeCredential?: (credential: string) => boolean;
}

/** Who calls, for one kind of route. A promise only when a token has to be verified. */
export function authenticate(
  auth: RouteAuth,
  request: IncomingMessage,
  authenticators: Authenticators,
): TokenCaller | BasicCredentials | { enrolmentToken: string } | undefined | Promise<TokenCaller> {
  switch (auth) {
    case 'none':
      return undefined;
    case 'basic':
      return readBasicCredentials(request);
    case 'enrolment':
      return { enrolmentToken: readServiceCredential(request) };
    case 'runtime':
      if (authenticators.isRuntimeCredential?.(readServiceCredential(request)) === true) return undefined;
      throw new AppError('invalid-service-credential');
    case 'token':
    case 'administrator':
      return readTokenCaller(auth, request, authenticators);
  }
}

function readTokenCaller(
  auth: RouteAuth,
  request: IncomingMessage,
  authenticators: Authenticators,
): TokenCaller | Promise<TokenCaller> {
  const token = readToken(request);
  const toCaller = ({ principal }: { principal: Principal }): TokenCaller => {
    if (auth === 'administrator' && !isAdministrator(principal))
      throw new AppError('forbidden', 'Only administrators may do this');
    return { principal, token };
  };
  if (authenticators.verifyToken === undefined) throw new AppError('internal-error', 'No token verifier');
  const verified = authenticators.verifyToken(token);
  return verified instanceof Promise ? verified.then(toCaller) : toCaller(verified);
}

/** The token of the header `token`, or of `Authorization: Bearer`. @throws {AppError} missing-token */
function readToken(request: IncomingMessage): string {
  const own = request.headers['token'];
  if (typeof own === 'string' && own !== '') return own;
  const bearer = readBearer(request);
  if (bearer === undefined) throw new AppError('missing-token');
  return bearer;
}

function readServiceCredential(request: IncomingMessage): string {
  const bearer = readBearer(request);
  if (bearer === undefined) throw new AppError('invalid-service-credential');
  return bearer;
}

function readBearer(request: IncomingMessage): string | undefined {
  const match = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '');
  return match?.[1];
}

/** @see https://www.rfc-editor.org/rfc/rfc7617 */
function readBasicCredentials(request: IncomingMessage): BasicCredentials {
  const match = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(request.headers.authorization ?? '');
  const text = Buffer.from(match?.[1] ?? '', 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (match === null || colon < 0)
    throw new AppError('not-authenticated', undefined, {
      headers: { 'www-authenticate': 'Basic realm="gantry"' },
    });
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
