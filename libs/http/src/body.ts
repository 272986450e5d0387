import type { IncomingMessage } from 'node:http';
import { AppError } from '@gantry/kernel';

const empty = Buffer.alloc(0);
/** A refused body is read and thrown away up to this size, so that the client can read the refusal. */
const discardLimitBytes = 96 * 1024 * 1024;

/**
 * Reads a request body, whatever its Content-Type says (clients of the protocol send none).
 * @throws {AppError} body-too-large, malformed-request when the client goes away
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const declared = request.headers['content-length'];
  if (declared === '0' || (declared === undefined && request.headers['transfer-encoding'] === undefined))
    return empty;
  const declaredBytes = Number(declared ?? 0);
  if (declaredBytes > limitBytes) {
    await discardBody(request);
    throw tooLarge(limitBytes);
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= limitBytes) chunks.push(chunk);
      else if (sizeBytes > discardLimitBytes) request.destroy();
      else chunks.length = 0;
    });
    request.on('end', () => {
      if (sizeBytes > limitBytes) reject(tooLarge(limitBytes));
      else
        resolve(
          chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, sizeBytes),
        );
    });
    request.on('error', (cause) =>
      reject(new AppError('malformed-request', 'The body broke off', { cause })),
    );
    request.on('close', () => {
      if (!request.complete) reject(new AppError('malformed-request', 'The body broke off'));
    });
  });
}

const tooLarge = (limitBytes: number) =>
  new AppError('body-too-large', `The body is larger than the limit of ${limitBytes} bytes`, {
    headers: { connection: 'close' },
  });

/** Reads a refused body to its end and keeps nothing; one declared larger than the bound is left unread. */
export async function discardBody(request: IncomingMessage): Promise<void> {
  if (request.complete || Number(request.headers['content-length'] ?? 0) > discardLimitBytes) return;
  let sizeBytes = 0;
  await new Promise<void>((resolve) => {
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > discardLimitBytes) request.destroy();
    });
    request
      .on('end', resolve)
      .on('error', () => resolve())
      .on('close', resolve);
  });
}
