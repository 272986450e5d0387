import type { IncomingMessage } from 'node:http';
import type { Principal } from '@gantry/contracts';
import { AppError, newSecret } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/** Who calls without a token in open mode. */
export const openPrincipal: Principal = { user: 'open', org: undefined, role: 'administrator' };

/** The tokens of people, and their absence in open mode. */
export class CallerCheck {
  readonly #trust: Pick<BridgeDeps['trust'], 'verify'>;
  readonly #isOpen: boolean;
  /** Stands in for a token inside this process; nobody outside has it. */
  readonly #openToken = newSecret();

  constructor(trust: Pick<BridgeDeps['trust'], 'verify'>, isOpen: boolean) {
    this.#trust = trust;
    this.#isOpen = isOpen;
  }

  /** For libs/http. */
  verify = (token: string): { principal: Principal } | Promise<{ principal: Principal }> =>
    token === this.#openToken ? { principal: openPrincipal } : this.#trust.verify(token);

  /**
   * The principal of a request; `pathToken` stood in its path.
   * @throws {AppError} missing-token, invalid-token, token-expired, token-revoked
   */
  async principalOf(request: IncomingMessage, pathToken: string | undefined, isOriginalDoor: boolean) {
    this.enter(request, pathToken, isOriginalDoor);
    const token = tokenOf(request);
    if (token === undefined) throw new AppError('missing-token');
    return (await this.verify(token)).principal;
  }

  /** Puts the token of the path, or of open mode, where those of headers are read from. @throws {AppError} forbidden */
  enter(request: IncomingMessage, pathToken: string | undefined, isOriginalDoor: boolean): void {
    if (pathToken !== undefined) request.headers['token'] = pathToken;
    else if (isOriginalDoor && this.allowsNoToken(request)) request.headers['token'] = this.#openToken;
  }

  /**
   * Whether the request may come without a token.
   * @throws {AppError} forbidden when a page of another site made it: a browser on this machine reaches loopback too
   */
  allowsNoToken(request: IncomingMessage): boolean {
    if (!this.#isOpen || tokenOf(request) !== undefined) return false;
    const { host = '', origin } = request.headers;
    const isOwnOrigin = origin === undefined || loopback.test(origin.replace(/^https?:\/\//i, ''));
    if (loopback.test(host) && isOwnOrigin) return true;
    throw new AppError('forbidden', 'Open mode answers programs of this machine only, under a loopback name');
  }
}

/** Of the header `token`, or of `Authorization: Bearer`. */
export function tokenOf({ headers }: IncomingMessage): string | undefined {
  const own = headers['token'];
  if (typeof own === 'string' && own !== '') return own;
  return bearerOf(headers.authorization);
}

/** What follows `Bearer`. */
export const bearerOf = (authorization: string | undefined): string | undefined =>
  /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
