import { createHash } from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';
import { AppError, messageOf } from '@gantry/kernel';
import type { PayloadSource } from '../../ports.js';

export interface HttpPayloadSourceOptions {
  /** Base URLs of edge frontends, tried in order, starting with the one that answered last. */
  readonly edgeUrls: readonly string[];
  /** Read at each request, so that a rotated credential is used at once. */
  readonly credential: () => string;
  readonly maxBytes: number;
}

/** Of no bytes at all: asking for it costs nothing, and its absence is as good an answer as its presence. */
const emptySha256 = createHash('sha256').digest('hex');

/** Longer than any problem that an edge frontend answers with. */
const maxProblemBytes = 8192;

type Attempt =
  | { kind: 'bytes'; bytes: Buffer }
  /** `isKnown`: an edge frontend said so, rather than a program that has no such path. */
  | { kind: 'absent'; isKnown: boolean }
  | { kind: 'failed'; reason: string; isRefused?: boolean };

/** Payloads over `GET {edge}/internal/v1/payloads/{sha256}`; what does not have that sha256 is refused. */
export class HttpPayloadSource implements PayloadSource {
  readonly #options: HttpPayloadSourceOptions;
  /**
   * Not `fetch`: the first one loads a client of its own into the process, which takes 9 MiB for good, and which the
   * first call of a function would wait for.
   */
  readonly #plain = new http.Agent({ keepAlive: true });
  readonly #secure = new https.Agent({ keepAlive: true });
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

  /** All edge frontends are asked; one that takes the credential is enough, as it is for {@link fetch}. */
  async check(options: { timeoutMs: number; signal?: AbortSignal }): Promise<void> {
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
    const { edgeUrls } = this.#options;
    const attempts = await Promise.all(edgeUrls.map((edgeUrl) => this.#tryOne(edgeUrl, emptySha256, signal)));
    if (
      attempts.some((attempt) => attempt.kind === 'bytes' || (attempt.kind === 'absent' && attempt.isKnown))
    )
      return;
    const reasons = attempts
      .map((one, i) => (one.kind === 'failed' ? one.reason : `${edgeUrls[i]} is no edge frontend`))
      .join('; ');
    if (attempts.some((attempt) => attempt.kind === 'failed' && attempt.isRefused === true))
      throw new AppError(
        'forbidden',
        `the credential of this runtime is not that of the edge frontend (${reasons}): give both the same file in GANTRY_RUNTIME_CREDENTIAL_FILE, and the address of that edge frontend in GANTRY_EDGE_URLS`,
      );
    throw new AppError(
      'edge-overloaded',
      `no edge frontend answers (${reasons}): GANTRY_EDGE_URLS says where it is`,
    );
  }

  #get(url: string, options: http.RequestOptions): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = url.startsWith('https:')
        ? https.get(url, { ...options, agent: this.#secure }, resolve)
        : http.get(url, { ...options, agent: this.#plain }, resolve);
      request.once('error', reject);
    });
  }

  async #tryOne(edgeUrl: string, sha256: string, signal: AbortSignal): Promise<Attempt> {
    try {
      const response = await this.#get(`${edgeUrl}/internal/v1/payloads/${sha256}`, {
        headers: { authorization: `Bearer ${this.#options.credential()}` },
        signal,
      });
      const { statusCode } = response;
      if (statusCode === 404) {
        return { kind: 'absent', isKnown: await isPayloadProblem(response) };
      }
      if (statusCode !== 200) {
        // Also when it is somewhere else: the credential goes to nobody who was not named.
        response.destroy();
        const isRefused = statusCode === 401 || statusCode === 403;
        return { kind: 'failed', reason: `${edgeUrl} answered ${statusCode}`, isRefused };
      }
      const bytes = await readBounded(response, this.#options.maxBytes);
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

async function isPayloadProblem(response: http.IncomingMessage): Promise<boolean> {
  const bytes = await readBounded(response, maxProblemBytes);
  try {
    return JSON.parse(String(bytes)).code === 'payload-not-found';
  } catch {
    return false;
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
