import { type ProblemBody, problems, problemType } from '@gantry/contracts';
import { AppError, isAppError } from '@gantry/kernel';
import type { PluginReply } from './ports.js';

/** RFC 9457, whose `detail` the older clients read. What is no AppError is the plugin's bug: 500 without its text. */
export function toProblemReply(error: unknown, requestId: string): PluginReply {
  const known = isAppError(error)
    ? error
    : new AppError('plugin-failed', 'The plugin failed; the log of the node says how', { cause: error });
  const body: ProblemBody = {
    type: problemType(known.code),
    title: problems[known.code].title,
    status: known.status,
    detail: known.message,
    code: known.code,
    request_id: requestId,
    ...(known.retryAfterMs === undefined ? {} : { retry_after_ms: known.retryAfterMs }),
    ...(known.errors === undefined ? {} : { errors: [...known.errors] }),
  };
  const retryAfter =
    known.retryAfterMs === undefined
      ? {}
      : { 'retry-after': String(Math.max(1, Math.ceil(known.retryAfterMs / 1000))) };
  return {
    status: known.status,
    bytes: Buffer.from(JSON.stringify(body)),
    headers: { ...retryAfter, ...known.headers, 'content-type': 'application/problem+json' },
  };
}
