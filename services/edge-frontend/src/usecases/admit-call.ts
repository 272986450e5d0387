/**
 * Who may call now. Everything is counted here and given back by the function that the admission answers.
 *
 * I1  What was counted is given back exactly once, whatever happens to the call.
 * I2  The map of accounts holds only those with a call in flight, so it is bounded by the calls in flight.
 */
import { AppError } from '@gantry/kernel';
import { RateLimiterMemory } from 'rate-limiter-flexible';

export interface AdmissionLimits {
  readonly concurrentCallsPerUser: number;
  readonly asyncCallsPerSecondPerUser: number;
  readonly maxCallsInFlight: number;
  readonly maxBytesInFlight: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #callsOf = new Map<string, number>();
  readonly #asyncRate: RateLimiterMemory;
  #calls = 0;
  #bytes = 0;
  #isClosed: boolean = false;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
    this.#asyncRate = new RateLimiterMemory({ points: limits.asyncCallsPerSecondPerUser, duration: 1 });
  }

  get calls(): number {
    return this.#calls;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Refuses everything from now on: the service is shutting down. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * Counts a call. One body of any allowed size always fits when nothing else is in flight.
   * @returns how to give it back
   * @throws {AppError} too-many-concurrent, edge-overloaded, shutting-down
   */
  enter(user: string, sizeBytes: number): () => void {
    if (this.#isClosed) throw new AppError('shutting-down');
    const { maxCallsInFlight, maxBytesInFlight, concurrentCallsPerUser } = this.#limits;
    if (this.#calls >= maxCallsInFlight)
      throw new AppError('edge-overloaded', `${this.#calls} calls are in flight here, the limit`);
    if (this.#calls > 0 && this.#bytes + sizeBytes > maxBytesInFlight)
      throw new AppError(
        'edge-overloaded',
        `${this.#bytes} bytes of parameters are in flight here; the limit is ${maxBytesInFlight}`,
      );
    const own = this.#callsOf.get(user) ?? 0;
    if (own >= concurrentCallsPerUser)
      throw new AppError('too-many-concurrent', `The account has ${own} calls in flight, the limit`);
    this.#calls += 1;
    this.#bytes += sizeBytes;
    this.#callsOf.set(user, own + 1);
    let isBack = false;
    return () => {
      if (isBack) return; // I1
      isBack = true;
      this.#calls -= 1;
      this.#bytes -= sizeBytes;
      const left = (this.#callsOf.get(user) ?? 1) - 1;
      if (left === 0)
        this.#callsOf.delete(user); // I2
      else this.#callsOf.set(user, left);
    };
  }

  /** Counts an asynchronous execution. @throws {AppError} too-many-requests, with the time to wait */
  async enterAsync(user: string): Promise<void> {
    try {
      await this.#asyncRate.consume(user);
    } catch (refusal) {
      const retryAfterMs = msBeforeNextOf(refusal);
      const limit = this.#limits.asyncCallsPerSecondPerUser;
      throw new AppError(
        'too-many-requests',
        `The account may submit ${limit} asynchronous executions a second`,
        {
          retryAfterMs,
        },
      );
    }
  }
}

const msBeforeNextOf = (refusal: unknown): number =>
  typeof refusal === 'object' && refusal !== null && 'msBeforeNext' in refusal
    ? Number(refusal.msBeforeNext)
    : 1000;
