/**
 * Verifies tokens in worker threads and remembers the answers.
 *
 * A token passes, in this order: length and alphabet, what is known of it (valid or refused), shape of the container
 * and root key id, a lane. One-block tokens have a lane of their own: their Datalog is signed by our key, so they
 * cannot burn time, and no flood of appended blocks delays them.
 *
 * I1 A remembered token is asked for expiry and revocation on every call, and is forgotten with its key.
 * I2 A token whose checks look at the time in other ways than a plain expiry is remembered for one second: dates in
 *    tokens are whole seconds, so the answer cannot change within one.
 * I3 "Too slow" is never 401 unless a thread was killed while it ran on the token.
 * I4 Everything remembered is bounded in entries and bytes.
 */
import { AppError, type Clock, type Logger, silentLogger, systemClock } from '@gantry/kernel';
import { LRUCache } from 'lru-cache';
import type { TokenVerifier, VerifiedToken, VerifyingKey } from '../../ports.js';
import { WireFormatError } from './protobuf.js';
import { decodeContainer, fromTokenText, revocationIdsOf, type TokenContainer } from './token-container.js';
import { findContainerFault } from './token-shape.js';
import { type LaneAnswer, VerifyLane } from './verify-lane.js';

export interface BiscuitVerifierOptions {
  readonly keys?: readonly VerifyingKey[];
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Longest that a thread may run on one token. Default 250. */
  readonly limitMs?: number;
  /** Longest token that is looked at, in characters. Default 4096. */
  readonly maxTokenLength?: number;
  /** Tokens that may wait for a thread, per lane. Default 256. */
  readonly queueLimit?: number;
  /** Longest wait for a thread. Default 2000. */
  readonly queueTimeoutMs?: number;
  /** Valid tokens that are remembered. Default 10,000. */
  readonly cacheEntries?: number;
}

interface RememberedToken {
  readonly verified: VerifiedToken;
  readonly rootKeyId: number | undefined;
  readonly publicKey: string;
  /** The second for which the answer holds, or undefined when it holds until expiry. */
  readonly second: number | undefined;
}

interface Refusal {
  readonly code: 'invalid-token' | 'token-expired' | 'token-too-complex';
  readonly detail: string;
}

/** Refusals are remembered for this long; a clock that was set right must not lock anybody out for longer. */
const refusalTtlMs = 60_000;
const maxRefusals = 4096;
const maxRememberedChars = 16 * 1024 * 1024;
const maxRefusedChars = 4 * 1024 * 1024;
/** About 64 MiB that the library keeps of them. */
const retireAfter = 8000;
/** Kills in this window before tokens with appended blocks are put off: each costs a thread and its start. */
const killWindowMs = 10_000;
const maxKillsPerWindow = 10;

export class BiscuitVerifier implements TokenVerifier {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #maxTokenLength: number;
  readonly #plain: VerifyLane;
  readonly #attenuated: VerifyLane;
  readonly #remembered: LRUCache<string, RememberedToken>;
  readonly #refused = new LRUCache<string, Refusal>({
    max: maxRefusals,
    maxSize: maxRefusedChars,
    sizeCalculation: (_refusal, token) => token.length,
    ttl: refusalTtlMs,
  });
  /** Tokens on their way through a lane: callers with the same one share the answer. */
  readonly #underWay = new Map<string, Promise<VerifiedToken>>();
  #keys = new Map<number, string>();
  #newestKeyId = -1;
  #revoked: ReadonlySet<string> = new Set();
  #killTimes: number[] = [];

  constructor(options: BiscuitVerifierOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#maxTokenLength = options.maxTokenLength ?? 4096;
    this.#remembered = new LRUCache({
      max: options.cacheEntries ?? 10_000,
      maxSize: maxRememberedChars,
      sizeCalculation: (_entry, token) => token.length,
    });
    const lane = {
      limitMs: options.limitMs ?? 250,
      queueLimit: options.queueLimit ?? 256,
      queueTimeoutMs: options.queueTimeoutMs ?? 2000,
      retireAfter,
      logger: this.#logger,
    };
    this.#plain = new VerifyLane({ ...lane, name: 'plain', hasSpare: false });
    this.#attenuated = new VerifyLane({ ...lane, name: 'attenuated', hasSpare: true });
    if (options.keys !== undefined) this.setKeys(options.keys);
  }

  async ready(): Promise<void> {
    await Promise.all([this.#plain.ready(), this.#attenuated.ready()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#plain.close(), this.#attenuated.close()]);
  }

  /**
   * Replaces the keys. Tokens of a key that is gone are refused from now on.
   * @throws {AppError} internal-error when a key is not 64 lower-case hex characters
   */
  setKeys(keys: readonly VerifyingKey[]): void {
    const damaged = keys.find(({ publicKey }) => !/^[0-9a-f]{64}$/.test(publicKey));
    if (damaged !== undefined)
      throw new AppError('internal-error', `public key ${damaged.id} is not 64 hex characters`);
    this.#keys = new Map(keys.map(({ id, publicKey }) => [id, publicKey]));
    this.#newestKeyId = Math.max(-1, ...this.#keys.keys());
    for (const [token, entry] of this.#remembered.entries()) {
      if (this.#publicKeyFor(entry.rootKeyId) !== entry.publicKey) this.#remembered.delete(token);
    }
    // A signature that no key verified yesterday may be good today.
    this.#refused.clear();
  }

  setRevoked(revocationIds: readonly string[]): void {
    this.#revoked = new Set(revocationIds);
  }

  /**
   * The answer for a token that was verified before, without waiting; undefined when {@link verify} must be asked.
   * @throws {AppError} token-expired, token-revoked, or what the token was refused with before
   */
  verifyCached(token: string): VerifiedToken | undefined {
    const entry = this.#remembered.get(token);
    if (entry !== undefined) return this.#check(token, entry);
    const refusal = this.#refused.get(token);
    if (refusal !== undefined) throw new AppError(refusal.code, refusal.detail);
    return undefined;
  }

  /**
   * @throws {AppError} invalid-token, token-expired, token-revoked, token-too-complex; verifier-busy and shutting-down
   * when it could not be found out
   */
  async verify(token: string): Promise<VerifiedToken> {
    const known = this.verifyCached(token);
    if (known !== undefined) return known;
    const shared = this.#underWay.get(token);
    if (shared !== undefined) return shared;
    // Before anything is stored under the token, so that what is stored stays small.
    const container = this.#readContainer(token);
    const answer = this.#verifyNew(token, container).finally(() => this.#underWay.delete(token));
    this.#underWay.set(token, answer);
    return answer;
  }

  /** I1, I2 */
  #check(token: string, entry: RememberedToken): VerifiedToken | undefined {
    const nowMs = this.#clock.now();
    const { verified } = entry;
    if (nowMs >= verified.expiresAtMs) {
      this.#remembered.delete(token);
      throw new AppError(
        'token-expired',
        `The token expired at ${new Date(verified.expiresAtMs).toISOString()}.`,
      );
    }
    if (entry.second !== undefined && entry.second !== toSecond(nowMs)) return undefined;
    this.#refuseRevoked(verified.revocationIds);
    return verified;
  }

  #refuseRevoked(revocationIds: readonly string[]): void {
    if (this.#revoked.size === 0) return;
    for (const id of revocationIds) {
      if (this.#revoked.has(id)) throw new AppError('token-revoked');
    }
  }

  #readContainer(token: string): TokenContainer {
    if (token.length > this.#maxTokenLength) {
      const detail = `The token has ${token.length} characters; at most ${this.#maxTokenLength} are accepted.`;
      throw new AppError('token-too-complex', detail);
    }
    try {
      const container = decodeContainer(fromTokenText(token));
      const fault = findContainerFault(container);
      if (fault !== undefined) throw new AppError('token-too-complex', `The token is refused: ${fault}.`);
      return container;
    } catch (error) {
      if (!(error instanceof WireFormatError)) throw error;
      throw new AppError('invalid-token', `The token is malformed: ${error.message}.`, { cause: error });
    }
  }

  async #verifyNew(token: string, container: TokenContainer): Promise<VerifiedToken> {
    const { rootKeyId } = container;
    const publicKey = this.#needPublicKey(rootKeyId);
    this.#refuseRevoked(revocationIdsOf(container));
    const nowMs = this.#clock.now();
    const answer = await this.#runInLane(token, container, publicKey, nowMs);
    if (this.#publicKeyFor(rootKeyId) !== publicKey) throw unknownKey(rootKeyId);
    if (answer.kind !== 'valid') throw this.#toError(token, answer);
    const verified: VerifiedToken = {
      principal: answer.principal,
      expiresAtMs: answer.expiresAtMs ?? Number.MAX_SAFE_INTEGER,
      revocationIds: revocationIdsOf(container),
    };
    const second = answer.isPlain ? undefined : toSecond(nowMs);
    this.#remembered.set(token, { verified, rootKeyId, publicKey, second });
    this.#refuseRevoked(verified.revocationIds);
    return verified;
  }

  #needPublicKey(rootKeyId: number | undefined): string {
    if (this.#keys.size === 0)
      throw new AppError('verifier-busy', 'The keys that verify tokens are not loaded yet.');
    const publicKey = this.#publicKeyFor(rootKeyId);
    if (publicKey === undefined) throw unknownKey(rootKeyId);
    return publicKey;
  }

  /** COGNIT's tokens name no key: they get the newest. */
  #publicKeyFor(rootKeyId: number | undefined): string | undefined {
    return this.#keys.get(rootKeyId ?? this.#newestKeyId);
  }

  async #runInLane(
    token: string,
    container: TokenContainer,
    publicKey: string,
    nowMs: number,
  ): Promise<LaneAnswer> {
    const isPlain = container.blocks.length === 1;
    if (!isPlain && this.#isKillBudgetSpent()) return { kind: 'busy' };
    const lane = isPlain ? this.#plain : this.#attenuated;
    const request = { bytes: fromTokenText(token), publicKey, nowMs };
    const first = await lane.run(request);
    const isWorthRetry = first.kind === 'timeout' || (isPlain && first.kind === 'killed'); // I3
    return isWorthRetry ? lane.run(request) : first;
  }

  #toError(token: string, answer: Exclude<LaneAnswer, { kind: 'valid' }>): AppError {
    switch (answer.kind) {
      case 'invalid':
        if (answer.mayChange) return new AppError('invalid-token', answer.detail);
        return this.#refuse(token, { code: 'invalid-token', detail: answer.detail });
      case 'expired':
        return this.#refuse(token, { code: 'token-expired', detail: answer.detail });
      case 'too-complex':
        return this.#refuse(token, { code: 'token-too-complex', detail: answer.detail });
      case 'killed':
        return this.#onKilled(token);
      case 'timeout':
      case 'busy':
        return new AppError('verifier-busy');
      case 'closed':
        return new AppError('shutting-down');
    }
  }

  /** I4 */
  #refuse(token: string, refusal: Refusal): AppError {
    this.#refused.set(token, refusal);
    return new AppError(refusal.code, refusal.detail);
  }

  #onKilled(token: string): AppError {
    const container = decodeContainer(fromTokenText(token));
    if (container.blocks.length === 1) return new AppError('verifier-busy');
    this.#killTimes.push(this.#clock.monotonicMs());
    const [authority] = revocationIdsOf(container);
    this.#logger.warn('a token kept its thread busy for too long and is refused', { authority });
    return this.#refuse(token, {
      code: 'token-too-complex',
      detail: 'The checks of the token take too long. Attenuate with fewer and simpler checks.',
    });
  }

  #isKillBudgetSpent(): boolean {
    const since = this.#clock.monotonicMs() - killWindowMs;
    this.#killTimes = this.#killTimes.filter((at) => at > since);
    return this.#killTimes.length >= maxKillsPerWindow;
  }
}

const toSecond = (epochMs: number): number => Math.floor(epochMs / 1000);

const unknownKey = (rootKeyId: number | undefined): AppError =>
  new AppError(
    'invalid-token',
    `The token is signed with key ${rootKeyId ?? 'unknown'}, which is not in use.`,
  );
