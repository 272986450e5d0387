/**
 * The token of one account at one cloud frontend, and the calls that carry it.
 *
 * I1. At most one sign-in runs at a time; callers that need a token wait for the same one.
 * I2. A call refused with 401 is repeated once, with a new token, if there is a password to get one with.
 */
import { cloudApi, type RouteContract } from '@gantry/contracts';
import { encodeText } from './base64.js';
import { isGantryError, toGantryError } from './gantry-error.js';
import {
  type AnswerOf,
  exchange,
  openExchange,
  type RequestOptions,
  type RouteInput,
  readJson,
  type StreamedRequest,
  toUrl,
} from './transport.js';

export interface PasswordCredentials {
  readonly name: string;
  readonly password: string;
}
/** A token that was issued before; it is not renewed. */
export interface TokenCredentials {
  readonly token: string;
}
/** Who calls. A function is asked at every sign-in, for example to read a secret that rotates. */
export type Credentials =
  | PasswordCredentials
  | TokenCredentials
  | (() => Promise<PasswordCredentials | TokenCredentials> | PasswordCredentials | TokenCredentials);

export interface SessionOptions {
  /** Of the cloud frontend, for example `http://127.0.0.1:1338`; a path prefix is kept. */
  readonly cloudUrl: string;
  /** Leave out for the routes that need none. */
  readonly credentials?: Credentials | undefined;
  /** For calls that set none; 30 s unless given. */
  readonly timeoutMs?: number | undefined;
}

export class Session {
  readonly cloudUrl: string;
  readonly timeoutMs: number;
  readonly #credentials: Credentials | undefined;
  #token: string | undefined;
  #signingIn: Promise<string> | undefined;

  constructor(options: SessionOptions) {
    this.cloudUrl = options.cloudUrl;
    this.timeoutMs = options.timeoutMs ?? 30_000;
    this.#credentials = options.credentials;
  }

  /** Calls a route and reads its JSON answer. @throws {GantryError} */
  request<C extends RouteContract>(
    baseUrl: string,
    contract: C,
    input: RouteInput = {},
    options: RequestOptions = {},
  ): Promise<AnswerOf<C>> {
    return this.send(baseUrl, contract, input, options, readJson) as Promise<AnswerOf<C>>;
  }

  /** Calls a route and reads its answer with `read`. @throws {GantryError} */
  async send<T>(
    baseUrl: string,
    contract: RouteContract,
    input: RouteInput,
    options: RequestOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const url = toUrl(baseUrl, contract, input);
    const attempt = (authorization: Record<string, string>) =>
      exchange(
        url,
        {
          method: contract.method.toUpperCase(),
          headers: {
            ...authorization,
            ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
            ...input.headers,
          },
          body: input.body === undefined ? undefined : JSON.stringify(input.body),
        },
        { timeoutMs: options.timeoutMs ?? this.timeoutMs, signal: options.signal },
        read,
      );
    if (contract.auth === 'none') return attempt({});
    const token = await this.token(options);
    try {
      return await attempt(bearer(token));
    } catch (error) {
      if (!isGantryError(error) || error.status !== 401 || !this.#canRenew()) throw error;
      // I2
      if (this.#token === token) this.#token = undefined;
      return attempt(bearer(await this.token(options)));
    }
  }

  /**
   * A request whose answer streams: resolves with its head, which is 2xx. The time limit is for the head only.
   * @throws {GantryError} unreachable, timeout, or the problem that was answered
   */
  async fetchSigned(url: string, init: StreamedRequest = {}): Promise<Response> {
    const token = await this.token(init);
    const timeoutMs = init.timeoutMs ?? this.timeoutMs;
    const response = await openExchange(url, init, bearer(token), timeoutMs);
    const mayRepeat = init.body === undefined || typeof init.body === 'string';
    if (response.ok) return response;
    const error = await toGantryError(response, url);
    if (error.status !== 401 || !this.#canRenew() || !mayRepeat) throw error;
    // I2
    if (this.#token === token) this.#token = undefined;
    const second = await openExchange(url, init, bearer(await this.token(init)), timeoutMs);
    if (second.ok) return second;
    throw await toGantryError(second, url);
  }

  /** The token, signing in first when there is none. @throws {GantryError} invalid-credentials and others */
  async token(options: RequestOptions = {}): Promise<string> {
    if (this.#token !== undefined) return this.#token;
    // I1: not with the caller's signal, because others may wait for the same sign-in.
    this.#signingIn ??= this.#signIn().finally(() => {
      this.#signingIn = undefined;
    });
    return abortable(this.#signingIn, options.signal);
  }

  async #signIn(): Promise<string> {
    const credentials = await this.#resolve();
    if (credentials === undefined) throw new Error('This call needs credentials; give them to the client');
    this.#token = 'token' in credentials ? credentials.token : await this.#authenticate(credentials);
    return this.#token;
  }

  async #authenticate({ name, password }: PasswordCredentials): Promise<string> {
    const answer = await exchange(
      toUrl(this.cloudUrl, cloudApi.authenticate, {}),
      { method: 'POST', headers: { authorization: `Basic ${encodeText(`${name}:${password}`)}` } },
      { timeoutMs: this.timeoutMs },
      readJson,
    );
    return String(answer);
  }

  #canRenew(): boolean {
    return (
      typeof this.#credentials === 'function' ||
      (this.#credentials !== undefined && 'name' in this.#credentials)
    );
  }

  async #resolve() {
    return typeof this.#credentials === 'function' ? this.#credentials() : this.#credentials;
  }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** `work`, or the reason of `signal` as soon as it aborts; the work goes on for others. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
