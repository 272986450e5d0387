import type { RouteContract } from '@gantry/contracts';
import type { z } from 'zod';
import { GantryError, toGantryError, toUnreachableError } from './gantry-error.js';

/** Every call takes these. */
export interface RequestOptions {
  /** Aborting it rejects the call with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for the whole answer. */
  readonly timeoutMs?: number | undefined;
}

export interface RouteInput {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * No service answers with a redirect, and what a node answers is passed on: following one would repeat a request, with
 * the caller's token, wherever a node wants it.
 */
const redirect = 'manual';

type SuccessOf<R> = R extends { schema: infer S extends z.ZodType } ? z.output<S> : undefined;
/** What a route answers when it succeeds. */
export type AnswerOf<C extends RouteContract> = SuccessOf<C['responses'][keyof C['responses']]>;

/** A route of a service, as a URL. */
export function toUrl(baseUrl: string, contract: RouteContract, input: RouteInput): string {
  const path = contract.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
    encodeURIComponent(String(input.params?.[name])),
  );
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input.query ?? {}))
    if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return `${baseUrl.replace(/\/+$/, '')}${path}${text === '' ? '' : `?${text}`}`;
}

/**
 * One HTTP exchange; the body of the answer is read by `read` within the same time limit.
 * @throws {GantryError} unreachable, timeout, unexpected-answer, or the problem that was answered
 */
export async function exchange<T>(
  url: string,
  init: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string | undefined;
  },
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  read: (response: Response) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();
  const abort = new AbortController();
  const onAbort = () => abort.abort();
  // Not AbortSignal.any: node keeps its followers as long as the caller's signal lives.
  signal?.addEventListener('abort', onAbort, { once: true });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    abort.abort();
  }, timeoutMs);
  try {
    const response = await fetch(url, { ...toFetchInit(init), redirect, signal: abort.signal });
    if (!response.ok) throw await toGantryError(response, url);
    return await read(response);
  } catch (error) {
    signal?.throwIfAborted();
    if (isLate)
      throw new GantryError({
        code: 'timeout',
        url,
        detail: `${url} did not answer within ${timeoutMs} ms`,
        cause: error,
      });
    if (error instanceof GantryError) throw error;
    throw toUnreachableError(error, url);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** A request with a body of any size, whose answer streams. */
export interface StreamedRequest extends RequestOptions {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A stream is sent as it is read, once. */
  readonly body?: string | Uint8Array | ReadableStream<Uint8Array> | undefined;
}

/**
 * For a body that streams. Unless redirects are errors and there is no window, `fetch` keeps a copy of the body to send
 * it again: all of it, in memory.
 */
const streamed = { duplex: 'half', redirect: 'error', window: null };

/** The head of an answer, whatever its status; its body is the caller's. @throws {GantryError} unreachable, timeout */
export async function openExchange(
  url: string,
  { body, headers, method = 'GET', signal }: StreamedRequest,
  authorization: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<Response> {
  signal?.throwIfAborted();
  const abort = new AbortController();
  const onAbort = () => abort.abort(signal?.reason);
  // Stays for the body of the answer, which the caller may leave in the middle.
  signal?.addEventListener('abort', onAbort, { once: true });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    abort.abort();
  }, timeoutMs);
  try {
    return await fetch(url, {
      method,
      headers: { ...headers, ...authorization },
      redirect,
      signal: abort.signal,
      ...(body === undefined ? {} : { body }),
      ...(body instanceof ReadableStream ? streamed : {}),
    } as RequestInit);
  } catch (cause) {
    signal?.throwIfAborted();
    if (!isLate) throw toUnreachableError(cause, url);
    throw new GantryError({
      code: 'timeout',
      url,
      detail: `${url} did not answer within ${timeoutMs} ms`,
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
}

const toFetchInit = (init: Parameters<typeof exchange>[1]): RequestInit => ({
  method: init.method,
  headers: { ...init.headers },
  ...(init.body === undefined ? {} : { body: init.body }),
});

/** Reads JSON, or undefined of an empty body. @throws {GantryError} unexpected-answer */
export async function readJson(response: Response): Promise<unknown> {
  const text = await response.text().catch((cause: unknown) => {
    throw toUnreachableError(cause, response.url);
  });
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GantryError({
      code: 'unexpected-answer',
      url: response.url,
      status: response.status,
      detail: `${response.url} answered something that is not JSON: ${text.slice(0, 200)}`,
      cause,
    });
  }
}

export const readText = (response: Response): Promise<string> => response.text();

export const readBytes = async (response: Response): Promise<Uint8Array> =>
  new Uint8Array(await response.arrayBuffer());
