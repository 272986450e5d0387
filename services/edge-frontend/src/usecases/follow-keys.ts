/**
 * Keeps the verifier's keys and revocations equal to the cloud's, and keeps a copy for a start without the cloud.
 *
 * I1  Once there are keys there are always keys: what the cloud does not answer changes nothing.
 * I2  New keys and revocations are here within `pollMs` and a round trip. A token of a key that is not known yet asks
 *     at once, at most twice a second.
 */
import { type Clock, hasCode, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { TokenVerifier, VerifiedToken } from '@gantry/tokens';
import type { CloudLink, TrustedKeys, TrustedKeysFile } from '../ports.js';

export interface KeyFollowerOptions {
  readonly cloud: Pick<CloudLink, 'readKeys' | 'readRevoked'>;
  readonly verifier: Pick<TokenVerifier, 'setKeys' | 'setRevoked' | 'verify'>;
  readonly file: TrustedKeysFile;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pollMs?: number;
}

const leastBetweenPollsMs = 500;

export class KeyFollower implements Part {
  readonly name = 'key follower';
  readonly #options: Required<KeyFollowerOptions>;
  #known = '';
  #hasKeys = false;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;
  #polledMs = -Infinity;
  #isFailing: boolean = false;

  constructor(options: KeyFollowerOptions) {
    this.#options = { pollMs: 2000, ...options };
  }

  get hasKeys(): boolean {
    return this.#hasKeys;
  }

  async start(): Promise<void> {
    const kept = await this.#options.file.read();
    if (kept !== undefined) this.#trust(kept);
    await this.poll();
    this.#timer = setInterval(() => void this.poll(), this.#options.pollMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#polling;
  }

  /** Verifies; a token that is not valid gets a second look when newer keys came meanwhile (I2). */
  async verify(token: string): Promise<VerifiedToken> {
    try {
      return await this.#options.verifier.verify(token);
    } catch (error) {
      if (!hasCode(error, 'invalid-token')) throw error;
      if (this.#options.clock.monotonicMs() - this.#polledMs < leastBetweenPollsMs) throw error;
      const before = this.#known;
      await this.poll();
      if (this.#known === before) throw error;
      return this.#options.verifier.verify(token);
    }
  }

  /** Asks the cloud; one question at a time, never throws (I1). */
  poll(): Promise<void> {
    this.#polling ??= this.#pollOnce().finally(() => {
      this.#polling = undefined;
    });
    return this.#polling;
  }

  async #pollOnce(): Promise<void> {
    const { clock, cloud, file, logger } = this.#options;
    this.#polledMs = clock.monotonicMs();
    try {
      const [keys, revoked] = await Promise.all([cloud.readKeys(), cloud.readRevoked()]);
      if (this.#isFailing) logger.info('the cloud frontend answers again');
      this.#isFailing = false;
      if (keys.length > 0 && this.#trust({ keys, revoked })) await file.write({ keys, revoked });
    } catch (error) {
      if (!this.#isFailing)
        logger.warn('keys cannot be refreshed; the known ones stay', { reason: messageOf(error) });
      this.#isFailing = true;
    }
  }

  /** Whether something changed. */
  #trust({ keys, revoked }: TrustedKeys): boolean {
    const known = JSON.stringify([
      keys.map(({ id, publicKey }) => [id, publicKey]),
      [...revoked].sort((a, b) => (a < b ? -1 : 1)),
    ]);
    if (known === this.#known) return false;
    this.#known = known;
    this.#hasKeys = true;
    this.#options.verifier.setKeys(keys);
    this.#options.verifier.setRevoked(revoked);
    return true;
  }
}
