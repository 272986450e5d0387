/**
 * Keeps the verifier of users' tokens equal to the cloud frontend's keys and revocations.
 *
 * I1. Once there are keys there are always keys: what the cloud does not answer changes nothing.
 * I2. A token of a key that is not known yet asks at once, at most twice a second.
 * I3. Without any key nothing is known of a token: that is no reason to call it invalid.
 */
import { AppError, type Clock, hasCode, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { TokenVerifier, VerifiedToken } from '@gantry/tokens';
import type { CloudTrust, UserTrust } from '../ports.js';

export interface TrustFollowerDeps {
  readonly cloud: CloudTrust;
  readonly verifier: Pick<TokenVerifier, 'setKeys' | 'setRevoked' | 'verify' | 'verifyCached'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pollMs?: number;
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1);
const defaultPollMs = 2000;
const leastBetweenPollsMs = 500;

export class TrustFollower implements Part, UserTrust {
  readonly name = 'trust';
  readonly #deps: TrustFollowerDeps;
  #known = '';
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;
  #polledMs = Number.NEGATIVE_INFINITY;
  #isFailing = false;

  constructor(deps: TrustFollowerDeps) {
    this.#deps = deps;
  }

  get hasKeys(): boolean {
    return this.#known !== '';
  }

  async start(): Promise<void> {
    await this.poll();
    this.#timer = setInterval(() => void this.poll(), this.#deps.pollMs ?? defaultPollMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#polling;
  }

  /** Answers at once for a token it has seen. @throws {AppError} as {@link TokenVerifier.verify} */
  verify(token: string): VerifiedToken | Promise<VerifiedToken> {
    return this.#deps.verifier.verifyCached(token) ?? this.#verifyNew(token);
  }

  /** Asks the cloud; one question at a time, never throws (I1). */
  poll(): Promise<void> {
    this.#polling ??= this.#pollOnce().finally(() => {
      this.#polling = undefined;
    });
    return this.#polling;
  }

  /** I2 */
  async #verifyNew(token: string): Promise<VerifiedToken> {
    try {
      return await this.#deps.verifier.verify(token);
    } catch (error) {
      if (!hasCode(error, 'invalid-token')) throw error;
      const before = this.#known;
      if (this.#deps.clock.monotonicMs() - this.#polledMs >= leastBetweenPollsMs) await this.poll();
      if (!this.hasKeys)
        throw new AppError(
          'cloud-unavailable',
          'The keys of tokens have not come from the cloud frontend yet',
          {
            cause: error,
          },
        ); // I3
      if (this.#known === before) throw error;
      return this.#deps.verifier.verify(token);
    }
  }

  async #pollOnce(): Promise<void> {
    const { clock, cloud, logger, verifier } = this.#deps;
    this.#polledMs = clock.monotonicMs();
    try {
      const [keys, revoked] = await Promise.all([cloud.readKeys(), cloud.readRevoked()]);
      if (this.#isFailing) logger.info('the cloud frontend answers again');
      this.#isFailing = false;
      const known = JSON.stringify([
        keys.map(({ id, publicKey }) => [id, publicKey]),
        [...revoked].sort(byText),
      ]);
      if (keys.length === 0 || known === this.#known) return;
      this.#known = known;
      verifier.setKeys(keys);
      verifier.setRevoked(revoked);
    } catch (error) {
      if (!this.#isFailing)
        logger.warn('keys cannot be refreshed; the known ones stay', { reason: messageOf(error) });
      this.#isFailing = true;
    }
  }
}
