import type { IncomingMessage } from 'node:http';
import type { Principal } from '@gantry/contracts';
import { AppError, isAppError, newSecret } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';
import type { Caller } from '../usecases/open-streams.js';

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
   * Who makes a request; `pathToken` stood in its path.
   * @throws {AppError} missing-token, invalid-token, token-expired, token-revoked
   */
  async callerOf(
    request: IncomingMessage,
    pathToken: string | undefined,
    isOriginalDoor: boolean,
  ): Promise<Caller> {
    this.enter(request, pathToken, isOriginalDoor);
    const token = tokenOf(request);
    if (token === undefined) throw new AppError('missing-token');
    const { principal } = await this.verify(token);
    return { principal, isInForce: () => this.#isInForce(token) };
  }

  /** What cannot be asked for does not make a token worse than it was. */
  async #isInForce(token: string): Promise<boolean> {
    try {
      await this.verify(token);
      return true;
    } catch (error) {
      return !isAppError(error) || error.status !== 401;
    }
  }

  /** Puts the token of the path, or of open mode, where those of headers are read from. @throws {AppError} forbidden */
  enter(request: IncomingMessage, pathToken: string | undefined, isOriginalDoor: boolean): void {
    if (pathToken !== undefined) request.headers['token'] = pathToken;
    else if (isOriginalDoor && this.allowsNoToken(request)) request.headers['token'] = this.#openToken;
  }

  /**
   * Whether the request may come without a token.
   * @throws {AppError} forbidden when a page of another site made it (a browser on this machine reaches loopback too),
   * and when it came through a proxy: who stands behind that is anybody
   */
  allowsNoToken(request: IncomingMessage): boolean {
    if (!this.#isOpen || tokenOf(request) !== undefined) return false;
    const { host = '', origin } = request.headers;
    const isOwnOrigin = origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}`;
    if (loopback.test(host) && isOwnOrigin && !isRelayed(request)) return true;
    throw new AppError(
      'forbidden',
      'Open mode answers programs of this machine only, under a loopback name, from its own pages and through no proxy',
    );
  }
}

/** Whether a proxy says that it passed the request on. */
const isRelayed = ({ headers }: IncomingMessage): boolean =>
  Object.keys(headers).some((name) => /^(forwarded|via|x-forwarded(-.+)?|x-real-ip)$/.test(name));

/** Of the header `token`, or of `Authorization: Bearer`. */
export function tokenOf({ headers }: IncomingMessage): string | undefined {
  const own = headers['token'];
  if (typeof own === 'string' && own !== '') return own;
  return bearerOf(headers.authorization);
}

/** What follows `Bearer`. */
export const bearerOf = (authorization: string | undefined): string | undefined =>
  /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
