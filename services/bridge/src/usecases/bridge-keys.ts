/**
 * The bridge's own keys: they sign the credentials of nodes and the statements to them, and nothing that a cloud
 * frontend would take. Made at the first start; every bridge of one store has the same.
 *
 * I1. The newest key signs credentials. A key stays until every credential that it signed has expired, so that no node
 *     has to enrol again because of a rotation.
 * I2. A statement is signed with the newest key that the node said it knows, so that a rotation interrupts nobody.
 * I3. What another bridge added is known here within `pollMs`, and at once when a node speaks of it.
 */
import { AppError, type Clock, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { KeyStore, SigningKey } from '@gantry/store';
import type { TokenVerifier } from '@gantry/tokens';

export interface BridgeKeysDeps {
  readonly keys: KeyStore;
  /** Of the credentials of nodes. */
  readonly verifier: Pick<TokenVerifier, 'setKeys'>;
  readonly newKey: (id: number) => Omit<SigningKey, 'createdAtMs'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly credentialLifetimeMs: number;
  /** There is another newest key than before. */
  readonly onRotated: () => void;
  readonly pollMs?: number;
}

const defaultPollMs = 10_000;
/** A stranger with made-up credentials must not turn each into a read of the store. */
const leastBetweenLooksMs = 1000;
/** Two administrators who rotate at the same moment. */
const maxRotateTries = 5;
/** Another bridge may sign with the old key until it has seen the new one, and clocks differ. */
const retirementGraceMs = 5 * 60_000;

export class BridgeKeys implements Part {
  readonly name = 'bridge keys';
  readonly #deps: BridgeKeysDeps;
  #keys: readonly SigningKey[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isFailing = false;

  constructor(deps: BridgeKeysDeps) {
    this.#deps = deps;
  }

  /** Oldest first; the last one signs. Empty before the start. */
  get keys(): readonly SigningKey[] {
    return this.#keys;
  }

  /** @throws {AppError} store-unavailable before the start */
  get current(): SigningKey {
    const newest = this.#keys.at(-1);
    if (newest === undefined)
      throw new AppError('store-unavailable', 'The keys of the bridge are not loaded yet');
    return newest;
  }

  /** I2. @param known ids, by the word of the node; undefined: it did not say */
  newestOf(known: readonly number[] | undefined): SigningKey {
    return this.#keys.findLast(({ id }) => known?.includes(id) === true) ?? this.current;
  }

  async start(): Promise<void> {
    const { keys, clock, newKey, pollMs } = this.#deps;
    const known = await keys.list();
    // False when another bridge was faster: then its key is there.
    if (known.length === 0) await keys.add({ ...newKey(1), createdAtMs: clock.now() }, undefined);
    await this.#read();
    this.#timer = setInterval(() => void this.#poll(), pollMs ?? defaultPollMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reading?.catch(() => undefined);
  }

  /** Adds a key that signs from now on. @throws {AppError} store-unavailable */
  async rotate(): Promise<SigningKey> {
    const { keys, clock, newKey } = this.#deps;
    for (let attempt = 0; attempt < maxRotateTries; attempt += 1) {
      const newest = (await keys.list()).at(-1);
      const createdAtMs = Math.max(clock.now(), (newest?.createdAtMs ?? 0) + 1);
      const key = { ...newKey((newest?.id ?? 0) + 1), createdAtMs };
      if (!(await keys.add(key, newest?.id))) continue;
      await this.#read();
      return key;
    }
    throw new AppError('store-unavailable', 'Keys are being added at the same moment; try again');
  }

  /** Reads the store when an id is newer than what is known here (I3). Never throws. */
  async learn(ids: readonly number[]): Promise<void> {
    const newest = this.#keys.at(-1)?.id ?? 0;
    if (ids.some((id) => id > newest)) await this.findNew();
  }

  /** Whether a read of the store, at most one a second, found another key. Never throws. */
  async findNew(): Promise<boolean> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#lookedMs < leastBetweenLooksMs) return false;
    this.#lookedMs = nowMs;
    const before = this.#keys.at(-1)?.id;
    await this.#poll();
    return this.#keys.at(-1)?.id !== before;
  }

  /** What is known stays when the store does not answer. */
  async #poll(): Promise<void> {
    try {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing)
        this.#deps.logger.warn('the keys of the bridge cannot be read again', { reason: messageOf(error) });
      this.#isFailing = true;
    }
  }

  async #read(): Promise<void> {
    const { keys, clock, verifier, credentialLifetimeMs, onRotated } = this.#deps;
    const stored = await keys.list();
    const neededFromMs = planRetirement(stored, clock.now() - credentialLifetimeMs - retirementGraceMs);
    const live = stored.filter(({ createdAtMs }) => createdAtMs >= neededFromMs);
    // A read that began earlier cannot take back what a later one has seen.
    const [before, after] = [this.#keys.at(-1)?.id, live.at(-1)?.id ?? 0];
    if (before !== undefined && after < before) return;
    const isSame = live.length === this.#keys.length && before === after;
    this.#keys = live;
    if (!isSame) verifier.setKeys(live.map(({ id, publicKey }) => ({ id, publicKey })));
    if (before !== undefined && after !== before) onRotated();
    if (live.length < stored.length) await keys.removeOlderThan(neededFromMs);
  }
}

/** I1. From when on the keys are needed: an older one signed nothing after `expiredMs`. */
export function planRetirement(keys: readonly SigningKey[], expiredMs: number): number {
  return keys.findLast(({ createdAtMs }) => createdAtMs <= expiredMs)?.createdAtMs ?? 0;
}
