/** What node:http2 does and its types, or its manners, do not say. */
import { constants, type Http2Stream, type IncomingHttpHeaders } from 'node:http2';

type HeadListener = (
  headers: IncomingHttpHeaders & { ':status'?: number },
  rawHeaders: readonly string[],
) => void;

/**
 * Calls `listener` with the fields of an event, also as the flat list: the object has joined what came twice. The list
 * is a documented third argument of the event, which the types leave out.
 */
export function onHead(stream: Http2Stream, event: 'response' | 'trailers', listener: HeadListener): void {
  const typed: (headers: IncomingHttpHeaders, flags: number, raw?: readonly string[]) => void = (
    headers,
    _flags,
    raw = [],
  ) => listener(headers, raw);
  stream.on(event, typed as (...args: unknown[]) => void);
}

/**
 * Makes `destroy` say CANCEL or INTERNAL_ERROR to the other side. By itself it resets with NO_ERROR, which looks like
 * a complete answer there.
 */
export function resetOnDestroy<S extends Http2Stream>(stream: S): S {
  const destroy = stream.destroy.bind(stream);
  stream.destroy = (error?: Error) => {
    if (!stream.closed) stream.close(error ? constants.NGHTTP2_INTERNAL_ERROR : constants.NGHTTP2_CANCEL);
    return destroy(error) as S;
  };
  return stream;
}

/** Ends a stream at once on both sides; the reader here learns it from whoever cancels. */
export function cancelStream(stream: Http2Stream): void {
  if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  // Without this a stream would live until the reset could be written, which a stuck connection never allows.
  stream.destroy();
}

/**
 * Aborts when the stream of a request ends before its answer is complete: the caller left, or the connection broke.
 * (`finish` of an http2 response comes then as well, and says nothing.)
 */
export function abortSignalOf({ stream }: { readonly stream: Http2Stream }): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort(new Error('the caller has left'));
  if (stream.destroyed || stream.aborted) abort();
  stream.once('aborted', abort);
  stream.once('close', () => {
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) abort();
  });
  return controller.signal;
}
