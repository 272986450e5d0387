import type { Principal } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { IssuedToken, TokenIssuer } from '../../ports.js';
import { buildAuthorityBlock } from './authority-block.js';
import { maxKeyId, publicKeyOfSeed, type SigningKey } from './signing-key.js';
import { revocationIdsOf, signChain, toTokenText } from './token-container.js';

/** Longest token we issue: the C device client copies it into a buffer of this size and its terminator. */
export const maxIssuedTokenLength = 504;
const maxNameBytes = 64;

/** Issues one-block tokens: user, organisation, role, and the check that they expire. */
export class BiscuitIssuer implements TokenIssuer {
  readonly #readKeys: () => readonly SigningKey[];
  #checkedKey = '';

  /** @param readKeys the key set of this moment; the key with the largest id signs */
  constructor(readKeys: () => readonly SigningKey[]) {
    this.#readKeys = readKeys;
  }

  /**
   * @throws {AppError} invalid-request when user or org are empty or take more than 64 bytes each
   * @throws {AppError} internal-error when there is no key to sign with
   */
  async issue(
    principal: Principal,
    options: { readonly nowMs: number; readonly lifetimeMs: number },
  ): Promise<IssuedToken> {
    const { user, org, role } = principal;
    refuseLongNames({ user, ...(org === undefined ? {} : { org }) });
    const key = this.#checkHalves(newestKey(this.#readKeys()));
    // Dates in tokens are whole seconds; rounding up never makes a token live shorter than asked.
    const expirySeconds = Math.ceil((options.nowMs + options.lifetimeMs) / 1000);
    const block = buildAuthorityBlock({ user, org, role }, expirySeconds);
    const container = signChain([block], Buffer.from(key.privateKey, 'hex'), key.id);
    const token = toTokenText(container);
    const [revocationId] = revocationIdsOf(container);
    if (token.length > maxIssuedTokenLength || revocationId === undefined) {
      throw new AppError('internal-error', `the token would take ${token.length} characters`);
    }
    return { token, revocationId, expiresAtMs: expirySeconds * 1000 };
  }

  /** Once per key: deriving the public half costs as much as signing. */
  #checkHalves(key: SigningKey): SigningKey {
    const checked = `${key.id} ${key.privateKey} ${key.publicKey}`;
    if (checked === this.#checkedKey) return key;
    if (key.id > maxKeyId || publicKeyOfSeed(key.privateKey) !== key.publicKey) {
      throw new AppError(
        'internal-error',
        `signing key ${key.id} is damaged: its halves do not belong together`,
      );
    }
    this.#checkedKey = checked;
    return key;
  }
}

function refuseLongNames(names: Readonly<Record<string, string>>): void {
  for (const [field, name] of Object.entries(names)) {
    const sizeBytes = Buffer.byteLength(name);
    if (sizeBytes >= 1 && sizeBytes <= maxNameBytes) continue;
    const detail = `${field} must take 1 to ${maxNameBytes} bytes of UTF-8; it takes ${sizeBytes}`;
    throw new AppError('invalid-request', detail, { errors: [{ pointer: `/body/${field}`, detail }] });
  }
}

function newestKey(keys: readonly SigningKey[]): SigningKey {
  const newest = keys.reduce<SigningKey | undefined>(
    (best, key) => (best === undefined || key.id > best.id ? key : best),
    undefined,
  );
  if (newest === undefined) throw new AppError('internal-error', 'there is no key to sign tokens with');
  return newest;
}
