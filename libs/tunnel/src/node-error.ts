/** What a failed stream means to the caller: one table from HTTP/2 to problem codes. */
import { constants } from 'node:http2';
import { AppError, isAppError, messageOf } from '@gantry/kernel';

const names = new Map<number, string>([
  [constants.NGHTTP2_NO_ERROR, 'NO_ERROR'],
  [constants.NGHTTP2_PROTOCOL_ERROR, 'PROTOCOL_ERROR'],
  [constants.NGHTTP2_INTERNAL_ERROR, 'INTERNAL_ERROR'],
  [constants.NGHTTP2_FLOW_CONTROL_ERROR, 'FLOW_CONTROL_ERROR'],
  [constants.NGHTTP2_STREAM_CLOSED, 'STREAM_CLOSED'],
  [constants.NGHTTP2_FRAME_SIZE_ERROR, 'FRAME_SIZE_ERROR'],
  [constants.NGHTTP2_REFUSED_STREAM, 'REFUSED_STREAM'],
  [constants.NGHTTP2_CANCEL, 'CANCEL'],
  [constants.NGHTTP2_COMPRESSION_ERROR, 'COMPRESSION_ERROR'],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, 'ENHANCE_YOUR_CALM'],
]);

export interface FailedStream {
  /** The node, in sentences. */
  readonly name: string;
  /** Its connection; when that has ended, it ended the stream. */
  readonly session: { readonly destroyed: boolean };
  readonly rstCode: number;
  /** Whether the head of the answer had come. */
  readonly isAnswered: boolean;
  readonly cause?: unknown;
}

/** The error of a stream that was closed before its answer was complete. */
export function toNodeError({ name, session, rstCode, isAnswered, cause }: FailedStream): AppError {
  if (isAppError(cause)) return cause;
  const options = cause === undefined ? {} : { cause };
  if (session.destroyed)
    return new AppError(
      'node-lost',
      `The connection to ${name} ended while it worked on the request`,
      options,
    );
  if (rstCode === constants.NGHTTP2_REFUSED_STREAM)
    return new AppError('node-busy', `${name} refused the request: it has too many open`, options);
  if (rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM && !isAnswered)
    return new AppError(
      'node-failed',
      `${name} and the bridge could not agree on the request: headers or memory above the limits`,
      options,
    );
  const code = names.get(rstCode) ?? String(rstCode);
  const why = cause === undefined ? code : `${code}, ${messageOf(cause)}`;
  return new AppError(
    'node-failed',
    isAnswered
      ? `${name} broke its answer off (${why})`
      : `${name} ended the request without an answer (${why})`,
    options,
  );
}

/** Whether the node cannot have seen the request, so that sending it again is safe. */
export const isUnseen = (error: unknown): boolean =>
  isAppError(error) && (error.code === 'node-unreachable' || error.code === 'node-busy');
