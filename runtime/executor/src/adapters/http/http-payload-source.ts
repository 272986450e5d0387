import { createHash } from 'node:crypto';
import { AppError, messageOf } from '@gantry/kernel';
import type { PayloadSource } from '../../ports.js';

export interface HttpPayloadSourceOptions {
  /** Base URLs of edge frontends, tried in order, starting with the one that answered last. */
  readonly edgeUrls: readonly string[];
  /** Read at each request, so that a rotated credential is used at once. */
  readonly credential: () => string;
  readonly maxBytes: number;
}

type Attempt = { kind: 'bytes'; bytes: Buffer } | { kind: 'absent' } | { kind: 'failed'; reason: string };

/** Payloads over `GET {edge}/internal/v1/payloads/{sha256}`; what does not have that sha256 is refused. */
export class HttpPayloadSource implements PayloadSource {
  readonly #options: HttpPayloadSourceOptions;
  #preferred = 0;

  constructor(options: HttpPayloadSourceOptions) {
    this.#options = options;
  }

  async fetch(sha256: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Buffer> {
    const { edgeUrls } = this.#options;
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
    const reasons: string[] = [];
    let isAbsent = false;
    for (let i = 0; i < edgeUrls.length && !signal.aborted; i += 1) {
      const index = (this.#preferred + i) % edgeUrls.length;
      const attempt = await this.#tryOne(edgeUrls[index] ?? '', sha256, signal);
      if (attempt.kind === 'bytes') {
        this.#preferred = index;
        return attempt.bytes;
      }
      if (attempt.kind === 'absent') isAbsent = true;
      else reasons.push(attempt.reason);
    }
    if (isAbsent && reasons.length === 0)
      throw new AppError('payload-not-found', `no edge frontend has payload ${sha256}`);
    throw new AppError(
      'edge-overloaded',
      `payload ${sha256} cannot be had: ${reasons.join('; ') || 'no time was left'}`,
    );
  }

  async #tryOne(edgeUrl: string, sha256: string, signal: AbortSignal): Promise<Attempt> {
    try {
      const response = await fetch(`${edgeUrl}/internal/v1/payloads/${sha256}`, {
        headers: { authorization: `Bearer ${this.#options.credential()}` },
        redirect: 'error',
        signal,
      });
      if (response.status === 404) {
        await response.body?.cancel();
        return { kind: 'absent' };
      }
      if (!response.ok || response.body === null) {
        await response.body?.cancel();
        return { kind: 'failed', reason: `${edgeUrl} answered ${response.status}` };
      }
      const bytes = await readBounded(response.body, this.#options.maxBytes);
      if (bytes === undefined)
        return { kind: 'failed', reason: `${edgeUrl} sent more than ${this.#options.maxBytes} bytes` };
      const actual = createHash('sha256').update(bytes).digest('hex');
      if (actual !== sha256)
        return { kind: 'failed', reason: `${edgeUrl} sent other bytes (sha256 ${actual})` };
      return { kind: 'bytes', bytes };
    } catch (error) {
      return { kind: 'failed', reason: `${edgeUrl}: ${messageOf(error)}` };
    }
  }
}

async function readBounded(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
