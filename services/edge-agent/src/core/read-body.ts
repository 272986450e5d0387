import { Readable } from 'node:stream';
import { AppError, type FieldError } from '@gantry/kernel';
import type { z } from 'zod';

/** 1 MiB: control messages are far below, and files have limits of their own. */
export const defaultMaxBodyBytes = 1024 * 1024;

/**
 * The body of a request with a limit. The request itself is never destroyed here: on HTTP/1.1 that would cut the
 * connection before the refusal is sent.
 */
export function limitBody(request: Readable, maxBytes: number, onBytes: () => void): Readable {
  async function* pieces(): AsyncGenerator<Buffer> {
    let total = 0;
    for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      onBytes();
      total += piece.length;
      if (total > maxBytes) throw tooLarge(maxBytes);
      yield piece;
    }
  }
  const body = Readable.from(pieces(), { objectMode: false, highWaterMark: 256 * 1024 });
  // A handler that has no use for the body does not listen for its end either.
  body.on('error', () => undefined);
  return body;
}

/** @throws {AppError} body-too-large when the announced length is over the limit already */
export function checkAnnouncedLength(contentLength: string | undefined, maxBytes: number): void {
  if (contentLength !== undefined && Number(contentLength) > maxBytes) throw tooLarge(maxBytes);
}

/** @throws {AppError} malformed-request, invalid-request, body-too-large */
export async function readJsonBody<T>(body: Readable, schema: z.ZodType<T>, maxBytes: number): Promise<T> {
  const pieces: Buffer[] = [];
  let total = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    total += piece.length;
    if (total > maxBytes) throw tooLarge(maxBytes);
    pieces.push(piece);
  }
  return parseWith(schema, total === 0 ? undefined : toJson(Buffer.concat(pieces)), '/body');
}

/** @throws {AppError} invalid-request with one error per broken rule */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, pointer: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = toFieldErrors(parsed.error, pointer);
  const first = errors[0];
  throw new AppError(
    'invalid-request',
    `${first?.pointer ?? pointer}: ${first?.detail ?? 'not as declared'}`,
    {
      errors,
    },
  );
}

export const toFieldErrors = (error: z.ZodError, pointer: string): readonly FieldError[] =>
  error.issues.slice(0, 50).map((issue) => ({
    pointer: [
      pointer,
      ...issue.path.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1')),
    ].join('/'),
    detail: issue.message,
  }));

const tooLarge = (maxBytes: number): AppError =>
  new AppError('body-too-large', `The body is larger than ${maxBytes} bytes`);

function toJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new AppError('malformed-request', 'The body is not valid JSON in UTF-8', { cause: error });
  }
}
