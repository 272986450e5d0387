import { type ProblemCode, problems } from '@gantry/contracts/problems';

/** A field that broke a rule. `pointer` is a JSON pointer such as `/query/mode` or `/body/0`. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

export interface AppErrorOptions {
  readonly cause?: unknown;
  readonly errors?: readonly FieldError[];
  /** Sent as Retry-After. Defaults to 1000 for retryable codes. */
  readonly retryAfterMs?: number;
  /** Additional response headers, for example `allow`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The one error class of the platform. Recognise it by `code` with {@link hasCode}, never by `instanceof`:
 * errors cross threads and realms.
 */
export class AppError extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly errors: readonly FieldError[] | undefined;
  readonly retryAfterMs: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  /** @param detail what happened, to what, and what to do; shown to the caller */
  constructor(code: ProblemCode, detail: string = problems[code].title, options: AppErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = problems[code].status;
    this.retryable = problems[code].retryable;
    this.errors = options.errors;
    this.retryAfterMs = options.retryAfterMs ?? (this.retryable ? 1000 : undefined);
    this.headers = options.headers ?? {};
  }
}

/** Whether `error` is an {@link AppError} with this code, also from another thread or realm. */
export const hasCode = (error: unknown, code: ProblemCode): error is AppError =>
  isAppError(error) && error.code === code;

/** Whether `error` is an {@link AppError} of any code. */
export const isAppError = (error: unknown): error is AppError =>
  typeof error === 'object' &&
  error !== null &&
  'code' in error &&
  Object.hasOwn(problems, String(error.code)) &&
  'retryable' in error;

/** The text of anything that was thrown. */
export const messageOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
