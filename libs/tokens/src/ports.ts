import type { Principal } from '@gantry/contracts';

export interface IssuedToken {
  /** URL-safe base64, 504 characters at most. */
  readonly token: string;
  /** Of its only block, hex. */
  readonly revocationId: string;
  readonly expiresAtMs: number;
}

export interface TokenIssuer {
  /**
   * @throws {AppError} invalid-request when user or org take more than 64 bytes each
   */
  issue(principal: Principal, options: { nowMs: number; lifetimeMs: number }): Promise<IssuedToken>;
}

/** A key that verifies tokens, by the root key id written into them. */
export interface VerifyingKey {
  readonly id: number;
  /** Ed25519, 64 lower-case hex characters. */
  readonly publicKey: string;
}

export interface VerifiedToken {
  readonly principal: Principal;
  readonly expiresAtMs: number;
  /** Of every block, hex, the authority's first. */
  readonly revocationIds: readonly string[];
}

export interface TokenVerifier {
  /**
   * Signature, shape, checks and revocation. A verified token is cached, but its expiry and revocation are looked at
   * on every call.
   * @throws {AppError} invalid-token, token-expired, token-revoked, token-too-complex, verifier-busy, shutting-down
   */
  verify(token: string): Promise<VerifiedToken>;
  /**
   * The answer for a token that was verified before, without waiting; undefined when {@link verify} must be asked.
   * @throws {AppError} token-expired, token-revoked, or what the token was refused with before
   */
  verifyCached(token: string): VerifiedToken | undefined;
  setKeys(keys: readonly VerifyingKey[]): void;
  /** Replaces the set of revoked ids (hex). */
  setRevoked(revocationIds: readonly string[]): void;
  /** Answers once the first token would be verified as fast as later ones. */
  ready(): Promise<void>;
  close(): Promise<void>;
}
