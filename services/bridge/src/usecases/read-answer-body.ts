import type { Readable } from 'node:stream';
import { AppError } from '@gantry/kernel';

export interface BodyBounds {
  readonly maxBytes: number;
  /** For the whole of it. */
  readonly timeoutMs: number;
}

/**
 * A whole answer that the bridge itself asked a node for. A node decides what it sends and how slowly, so that both have
 * a bound; the rest is not read any more.
 * @throws {AppError} node-failed when it is larger, or breaks off · node-timeout
 */
export async function readAnswerBody(body: Readable, { maxBytes, timeoutMs }: BodyBounds): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  return await new Promise((resolve, reject) => {
    const settle = (error?: AppError) => {
      clearTimeout(timer);
      if (error === undefined) return resolve(Buffer.concat(chunks));
      reject(error);
      body.destroy();
    };
    const timer = setTimeout(
      () => settle(new AppError('node-timeout', `The answer did not end within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const broken = (cause?: Error) => settle(new AppError('node-failed', 'The answer broke off', { cause }));
    body.on('error', broken);
    body.once('close', () => broken());
    body.once('end', () => settle());
    body.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= maxBytes) chunks.push(chunk);
      else settle(new AppError('node-failed', `The answer is larger than ${maxBytes} bytes`));
    });
    if (body.destroyed) broken();
  });
}
