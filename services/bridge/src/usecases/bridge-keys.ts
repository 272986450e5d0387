import { AppError, type Clock, type Part } from '@gantry/kernel';
import type { KeyStore, SigningKey } from '@gantry/store';
import type { TokenVerifier } from '@gantry/tokens';

export interface BridgeKeysDeps {
  readonly keys: KeyStore;
  /** Of the credentials of nodes. */
  readonly verifier: Pick<TokenVerifier, 'setKeys'>;
  readonly newKey: (id: number) => Omit<SigningKey, 'createdAtMs'>;
  readonly clock: Clock;
}

/**
 * The bridge's own keys: they sign the credentials of nodes and the statements to them, and nothing that a cloud
 * frontend would take. Made at the first start; every bridge of one store has the same.
 */
export class BridgeKeys implements Part {
  readonly name = 'bridge keys';
  readonly #deps: BridgeKeysDeps;
  #keys: readonly SigningKey[] = [];

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

  async start(): Promise<void> {
    const { keys, clock, newKey, verifier } = this.#deps;
    const known = await keys.list();
    // False when another bridge was faster: then its key is there.
    if (known.length === 0) await keys.add({ ...newKey(1), createdAtMs: clock.now() }, undefined);
    this.#keys = await keys.list();
    verifier.setKeys(this.#keys.map(({ id, publicKey }) => ({ id, publicKey })));
  }
}
