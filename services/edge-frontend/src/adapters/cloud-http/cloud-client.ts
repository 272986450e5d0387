import { type ProblemCode, problemSchema, problems } from '@gantry/contracts';
import { AppError, messageOf } from '@gantry/kernel';
import CircuitBreaker from 'opossum';

export interface CloudAnswer {
  readonly path: string;
  /** 200 to 299, 404 or 405; anything else was thrown. */
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

interface Ask {
  readonly path: string;
  readonly init: RequestInit;
}

/**
 * One kind of question to the cloud frontend, behind a breaker: when half of the questions fail, none are asked for a
 * second, so that nobody waits for a deadline only to hear the same.
 */
export class CloudClient {
  readonly #what: string;
  readonly #breaker: CircuitBreaker<[Ask], CloudAnswer>;

  constructor(what: string, cloudUrl: string, timeoutMs: number) {
    this.#what = what;
    this.#breaker = new CircuitBreaker((ask: Ask) => request(cloudUrl, ask, timeoutMs), {
      // The request has its own deadline, and ends with it.
      timeout: false,
      name: what,
      volumeThreshold: 5,
      errorThresholdPercentage: 50,
      resetTimeout: 1000,
      rollingCountTimeout: 10_000,
      // A refusal of one caller is an answer.
      errorFilter: (error: unknown) => !isOutage(error),
    });
  }

  /** @throws {AppError} cloud-unavailable, or what the cloud says of the token or the credential */
  async ask(path: string, init: RequestInit = {}): Promise<CloudAnswer> {
    try {
      return await this.#breaker.fire({ path, init });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EOPENBREAKER')
        throw new AppError('cloud-unavailable', `The cloud frontend does not answer for ${this.#what}`, {
          cause: error,
        });
      throw error;
    }
  }
}

const isOutage = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'cloud-unavailable';

async function request(cloudUrl: string, { path, init }: Ask, timeoutMs: number): Promise<CloudAnswer> {
  let status: number;
  let headers: Headers;
  let bytes: Buffer;
  try {
    const response = await fetch(`${cloudUrl}${path}`, { ...init, signal: AbortSignal.timeout(timeoutMs) });
    ({ status, headers } = response);
    bytes = Buffer.from(await response.arrayBuffer());
  } catch (cause) {
    throw new AppError('cloud-unavailable', `The cloud frontend cannot be reached: ${messageOf(cause)}`, {
      cause,
    });
  }
  const isAnswer = (status >= 200 && status < 300) || status === 404 || status === 405;
  if (!isAnswer) throw toAppError(status, bytes);
  return { path, status, headers, bytes };
}

/** The cloud's own problem for 401 and 403; everything else is the cloud not working. */
function toAppError(status: number, bytes: Buffer): AppError {
  if (status !== 401 && status !== 403)
    return new AppError('cloud-unavailable', `The cloud frontend answered with status ${status}`);
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString('utf8'));
  } catch {
    body = undefined;
  }
  const problem = problemSchema.safeParse(body);
  if (problem.success && Object.hasOwn(problems, problem.data.code))
    return new AppError(problem.data.code as ProblemCode, problem.data.detail);
  return new AppError(status === 401 ? 'invalid-token' : 'forbidden');
}
