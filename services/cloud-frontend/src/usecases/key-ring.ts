/**
 * What this process trusts: the signing keys and the revoked tokens, as the store has them.
 * Stages: empty → loaded → read again every few seconds, and after each change made here.
 *
 * I1 The verifier has the keys and revocations of the last read that succeeded; a failing read changes nothing.
 * I2 Reads never overlap, and `refresh` answers after a read that began later than the call: what was written before
 *    it is in force, and an older read can never undo it.
 * I3 The newest key signs. Its id and time are greater than those of every key before it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Principal } from '@gantry/contracts';
import { AppError, type Clock, hasCode } from '@gantry/kernel';
import type { CloudStore, SigningKey } from '@gantry/store';
import type { IssuedToken, TokenIssuer, TokenVerifier, VerifiedToken } from '@gantry/tokens';
import type { KeySmith } from '../ports.js';
import { planKeyRetirement } from './plan-key-retirement.js';

export interface KeyRingDeps {
  readonly store: Pick<CloudStore, 'keys' | 'tokens'>;
  readonly verifier: TokenVerifier;
  readonly smith: KeySmith;
  readonly clock: Clock;
  readonly tokenLifetimeMs: number;
}

/** A stranger with made-up tokens must not turn each into a read of the store. */
const minLookMs = 1000;
/** Two administrators who rotate at the same moment. */
const maxRotateTries = 5;

export class KeyRing {
  readonly #deps: KeyRingDeps;
  #keys: readonly SigningKey[] = [];
  readonly #issuer: TokenIssuer;
  #running: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;
  #lastLookMs = Number.NEGATIVE_INFINITY;

  constructor(deps: KeyRingDeps) {
    this.#deps = deps;
    this.#issuer = deps.smith.issuerOf(() => this.#keys);
  }

  /** Live keys, oldest first; the last one signs. Empty until loaded. */
  get keys(): readonly SigningKey[] {
    return this.#keys;
  }

  /** @throws {AppError} store-unavailable while nothing was loaded */
  get current(): SigningKey {
    const newest = this.#keys.at(-1);
    if (newest === undefined) throw notLoaded();
    return newest;
  }

  /** Reads the store, after making the first key when there is none. @throws {AppError} store-unavailable */
  async load(): Promise<void> {
    const keys = await this.#deps.store.keys.list();
    // False when another frontend was faster: then its key is there.
    if (keys.length === 0) await this.#deps.store.keys.add(this.#nextKey(undefined), undefined);
    await this.refresh();
  }

  /** Adds a key that signs from now on; tokens of the older ones stay good. @throws {AppError} store-unavailable */
  async rotate(): Promise<SigningKey> {
    for (let attempt = 0; attempt < maxRotateTries; attempt += 1) {
      const newest = (await this.#deps.store.keys.list()).at(-1);
      const key = this.#nextKey(newest);
      if (!(await this.#deps.store.keys.add(key, newest?.id))) continue;
      await this.refresh();
      return key;
    }
    throw new AppError('store-unavailable', 'Keys are being added at the same moment; try again');
  }

  /** Reads the store again (I2). @throws {AppError} store-unavailable */
  refresh(): Promise<void> {
    this.#waiting ??= this.#readAfter(this.#running);
    return this.#waiting;
  }

  /** @throws {AppError} store-unavailable while nothing was loaded */
  async issue(principal: Principal): Promise<IssuedToken> {
    const { clock, tokenLifetimeMs } = this.#deps;
    if (this.#keys.length === 0) throw notLoaded();
    return this.#issuer.issue(principal, { nowMs: clock.now(), lifetimeMs: tokenLifetimeMs });
  }

  /** Also with a key that another frontend made a moment ago. @throws {AppError} as {@link TokenVerifier.verify} */
  async verify(token: string): Promise<VerifiedToken> {
    try {
      return await this.#deps.verifier.verify(token);
    } catch (error) {
      if (!hasCode(error, 'invalid-token') || !(await this.#findsNewKeys())) throw error;
      return this.#deps.verifier.verify(token);
    }
  }

  async #findsNewKeys(): Promise<boolean> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#lastLookMs < minLookMs) return false;
    this.#lastLookMs = nowMs;
    const before = this.#keys;
    // The token is refused then; that the store does not answer is not its bearer's concern.
    await this.refresh().catch(() => undefined);
    return this.#keys !== before;
  }

  async #readAfter(previous: Promise<void> | undefined): Promise<void> {
    await previous?.catch(() => undefined);
    // Who calls from here on may have written after this read begins.
    this.#waiting = undefined;
    this.#running = this.#read();
    return this.#running;
  }

  async #read(): Promise<void> {
    const { store, clock, verifier, tokenLifetimeMs } = this.#deps;
    const stored = await store.keys.list();
    const revoked = await store.tokens.listRevoked(clock.now());
    const retireBeforeMs = planKeyRetirement(stored, clock.now(), tokenLifetimeMs);
    const keys = stored.filter((key) => retireBeforeMs === undefined || key.createdAtMs >= retireBeforeMs);
    // I1
    verifier.setRevoked(revoked);
    if (!isDeepStrictEqual(keys, this.#keys)) {
      this.#keys = keys;
      verifier.setKeys(keys.map(({ id, publicKey }) => ({ id, publicKey })));
    }
    if (retireBeforeMs !== undefined) await store.keys.removeOlderThan(retireBeforeMs);
  }

  /** I3 */
  #nextKey(newest: SigningKey | undefined): SigningKey {
    const nowMs = this.#deps.clock.now();
    return {
      ...this.#deps.smith.newKey((newest?.id ?? 0) + 1),
      createdAtMs: newest === undefined ? nowMs : Math.max(nowMs, newest.createdAtMs + 1),
    };
  }
}

const notLoaded = () => new AppError('store-unavailable', 'The signing keys are not loaded yet');
