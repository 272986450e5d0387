import { type ProblemBody, type ProblemCode, problems } from '@gantry/contracts';

/** What can go wrong before or beside an answer of the platform. */
export type ClientErrorCode =
  /** No connection, or it broke; the detail names the URL. */
  | 'unreachable'
  /** No answer within the time of the call. */
  | 'timeout'
  /** An answer that is none of the platform's: a proxy's page, a wrong URL. */
  | 'unexpected-answer'
  /** The execution succeeded, but its result is no value that this package knows; `executionId` says which one. */
  | 'unreadable-result'
  /** A function that cannot be sent: built in, bound, a method, or Python source without exactly one function. */
  | 'invalid-function'
  /** A parameter that the language of the function has no value for. */
  | 'invalid-parameters'
  /** The device runtime was closed. */
  | 'closed';

export interface FieldProblem {
  /** JSON pointer such as `/query/mode` or `/body/0`. */
  readonly pointer: string;
  readonly detail: string;
}

export interface GantryErrorInit {
  readonly code: ProblemCode | ClientErrorCode;
  readonly detail: string;
  /** What was called. */
  readonly url?: string | undefined;
  /** HTTP status; 0 without an answer. */
  readonly status?: number;
  readonly errors?: readonly FieldProblem[];
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Whether the request surely never reached the platform. */
  readonly isUnsent?: boolean;
  readonly executionId?: string | undefined;
  readonly cause?: unknown;
}

/**
 * Everything this package throws, except the reason of an aborted signal, which is passed on as `fetch` does.
 * Recognise it by `code`: the codes of the platform's problem table, or a {@link ClientErrorCode}.
 */
export class GantryError extends Error {
  readonly code: ProblemCode | ClientErrorCode;
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  readonly detail: string;
  /** What was called; undefined when nothing was. */
  readonly url: string | undefined;
  readonly errors: readonly FieldProblem[];
  /** Finds the request in the platform's log. */
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** Whether the request surely never reached the platform, so that repeating it cannot run anything twice. */
  readonly isUnsent: boolean;
  /** The execution whose result could not be read. */
  readonly executionId: string | undefined;

  constructor(init: GantryErrorInit) {
    super(`${init.code}: ${init.detail}`, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'GantryError';
    this.code = init.code;
    this.status = init.status ?? 0;
    this.detail = init.detail;
    this.url = init.url;
    this.errors = init.errors ?? [];
    this.requestId = init.requestId;
    this.retryAfterMs = init.retryAfterMs;
    this.isUnsent = init.isUnsent ?? false;
    this.executionId = init.executionId;
  }

  /** Whether the platform refused for now (429, 503) and may take the same request later. */
  get isRetryable(): boolean {
    return this.status === 429 || this.status === 503;
  }
}

/** Whether `error` is a {@link GantryError}, with this code when one is given. */
export const isGantryError = (error: unknown, code?: GantryError['code']): error is GantryError =>
  typeof error === 'object' &&
  error !== null &&
  'name' in error &&
  error.name === 'GantryError' &&
  'code' in error &&
  (code === undefined || error.code === code);

/** The error of an answer that is not 2xx: its problem, or what can be said without one. */
export async function toGantryError(response: Response, url: string): Promise<GantryError> {
  const text = await response.text().catch(() => '');
  const retryAfterSeconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = Number.isFinite(retryAfterSeconds) ? retryAfterSeconds * 1000 : undefined;
  const problem = parseProblem(text);
  if (problem === undefined)
    return new GantryError({
      code: 'unexpected-answer',
      url,
      status: response.status,
      detail: `${url} answered ${response.status} without a problem description: ${text.slice(0, 200)}`,
      requestId: response.headers.get('x-request-id') ?? undefined,
      retryAfterMs,
    });
  return new GantryError({
    code: problem.code,
    url,
    status: response.status,
    detail: problem.detail,
    errors: problem.errors ?? [],
    requestId: problem.request_id,
    retryAfterMs: problem.retry_after_ms ?? retryAfterMs,
  });
}

function parseProblem(text: string): (ProblemBody & { code: ProblemCode }) | undefined {
  try {
    const value = JSON.parse(text) as Partial<ProblemBody> | null;
    const isProblem = typeof value?.code === 'string' && typeof value.detail === 'string';
    return isProblem && Object.hasOwn(problems, value.code as string)
      ? (value as ProblemBody & { code: ProblemCode })
      : undefined;
  } catch {
    return undefined;
  }
}

/** Errors of a socket that was never connected: node names them, browsers do not. */
const unsentCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The error of a `fetch` that failed. */
export function toUnreachableError(error: unknown, url: string): GantryError {
  const reason = innermostCause(error);
  return new GantryError({
    code: 'unreachable',
    url,
    detail: `Cannot reach ${url}: ${reason.message}`,
    isUnsent: reason.code !== undefined && unsentCodes.has(reason.code),
    cause: error,
  });
}

/** `fetch` wraps the socket's error, and that may be an aggregate of one error for each address. */
function innermostCause(error: unknown): { code: string | undefined; message: string } {
  let current: unknown = error;
  for (let depth = 0; depth < 5; depth += 1) {
    if (typeof current !== 'object' || current === null) break;
    if ('errors' in current && Array.isArray(current.errors) && current.errors.length > 0)
      current = current.errors[0];
    else if ('cause' in current && current.cause !== undefined) current = current.cause;
    else break;
  }
  const code =
    typeof current === 'object' && current !== null && 'code' in current ? String(current.code) : undefined;
  const message = current instanceof Error || hasMessage(current) ? current.message : String(current);
  return { code, message: message === '' ? (code ?? 'connection failed') : message };
}

const hasMessage = (value: unknown): value is { message: string } =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
