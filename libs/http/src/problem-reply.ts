import type { ProblemBody } from '@gantry/contracts';
import { problems, problemType } from '@gantry/contracts/problems';
import { AppError, isAppError } from '@gantry/kernel';
import type { Reply } from './route.js';

/** Maps anything thrown to an RFC 9457 answer. What is not an AppError is a bug: 500, without its text. */
export function toProblemReply(error: unknown, context: { requestId: string; instance?: string }): Reply {
  const known = isAppError(error)
    ? error
    : new AppError('internal-error', 'An unexpected error; it was logged', { cause: error });
  const body: ProblemBody = {
    type: problemType(known.code),
    title: problems[known.code].title,
    status: known.status,
    detail: known.message,
    code: known.code,
    request_id: context.requestId,
    ...(context.instance === undefined ? {} : { instance: context.instance }),
    ...(known.retryAfterMs === undefined ? {} : { retry_after_ms: known.retryAfterMs }),
    ...(known.errors === undefined ? {} : { errors: [...known.errors] }),
  };
  return {
    status: known.status,
    bytes: Buffer.from(JSON.stringify(body)),
    contentType: 'application/problem+json',
    headers: { ...authenticateHeader(known), ...retryHeader(known), ...known.headers },
  };
}

const authenticateHeader = (error: AppError): Record<string, string> =>
  error.status === 401
    ? { 'www-authenticate': `Bearer error="invalid_token", error_description="${error.code}"` }
    : {};

const retryHeader = (error: AppError): Record<string, string> =>
  error.retryAfterMs === undefined
    ? {}
    : { 'retry-after': String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))) };
