import type { IncomingMessage } from 'node:http';
import type { Principal, RouteAuth, RouteContract } from '@gantry/contracts';
import type { z } from 'zod';

/** The caller of a `token` or `administrator` route. */
export interface TokenCaller {
  readonly principal: Principal;
  /** As it was sent, to act on the caller's behalf at another service. */
  readonly token: string;
}

export interface BasicCredentials {
  readonly name: string;
  readonly password: string;
}

type CallerOf<A extends RouteAuth> = A extends 'token' | 'administrator'
  ? TokenCaller
  : A extends 'basic'
    ? BasicCredentials
    : A extends 'enrolment'
      ? { readonly enrolmentToken: string }
      : undefined;

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;

/** A request that was authenticated and parsed as its contract says. */
export interface RouteRequest<C extends RouteContract> {
  readonly params: Parsed<C['params']>;
  readonly query: Parsed<C['query']>;
  /** Undefined when the contract lets it be absent and it is. */
  readonly body: C['bodyOptional'] extends true ? Parsed<C['body']> | undefined : Parsed<C['body']>;
  /** The body's own bytes. */
  readonly bytes: Buffer;
  readonly caller: CallerOf<C['auth']>;
  readonly requestId: string;
  /** The peer's address. */
  readonly address: string;
  readonly raw: IncomingMessage;
  /** Aborted when the client goes away before the answer. */
  readonly signal: AbortSignal;
}

/** An answer: `json` is serialised, `bytes` are sent as they are. */
export interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly bytes?: Buffer;
  /** For `bytes`; `application/json` unless given. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type RouteHandler<C extends RouteContract> = (request: RouteRequest<C>) => Promise<Reply> | Reply;

/** A request whose caller is known and whose body is not read yet. */
export interface AdmissionRequest<C extends RouteContract = RouteContract> {
  readonly caller: CallerOf<C['auth']>;
  /** What its body may take in memory: the declared length, or the limit of the route when none is declared. */
  readonly bodySizeBytes: number;
}

export interface RouteOptions<C extends RouteContract> {
  /** It carries nearly all traffic of the service: requests reach it without express in between. */
  readonly isHot?: boolean;
  /** `bytes`: the handler checks the body itself, from `bytes`; `body` is then undefined. `parsed` unless given. */
  readonly bodyAs?: 'parsed' | 'bytes';
  /**
   * Called before the body is read. Answers what to call once the request was answered.
   * @throws {AppError} when the request is refused
   */
  readonly admit?: (request: AdmissionRequest<C>) => () => void;
}

export interface Route {
  readonly contract: RouteContract;
  // The request's type depends on the contract, which a table of routes no longer knows.
  // biome-ignore lint/suspicious/noExplicitAny: see above; `route` checks the pair where it is made.
  readonly handle: RouteHandler<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly options: RouteOptions<any>;
}

/** Connects a contract with what answers it. */
export const route = <C extends RouteContract>(
  contract: C,
  handle: RouteHandler<C>,
  options: RouteOptions<C> = {},
): Route => ({ contract, handle, options });
