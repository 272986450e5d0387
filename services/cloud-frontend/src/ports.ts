import type { SigningKey } from '@gantry/store';
import type { TokenIssuer } from '@gantry/tokens';

/** Slow, salted hashing of passwords. Both methods use a core for tens of milliseconds. */
export interface PasswordHasher {
  /** A PHC string that holds its own salt and parameters. */
  hash(password: string): Promise<string>;
  verify(passwordHash: string, password: string): Promise<boolean>;
}

/** Counts failures by key in a window of time. */
export interface FailureLimiter {
  /** Milliseconds until the next attempt is allowed; 0: now. */
  blockedForMs(key: string): Promise<number>;
  recordFailure(key: string): Promise<void>;
}

/** Where the random password of the first account waits for the person who started the platform. */
export interface PasswordFile {
  readonly path: string;
  /** Undefined when there is none. */
  read(): Promise<string | undefined>;
  /** Writes it unless one is there already; answers whether it did. Readable by the owner only, complete or not there. */
  writeNew(password: string): Promise<boolean>;
  remove(): Promise<void>;
}

/** A key without the time it was made: seed and public key in lower-case hex. */
type KeyMaterial = Omit<SigningKey, 'createdAtMs'>;

/** Makes keys, and what signs with them. */
export interface KeySmith {
  newKey(id: number): KeyMaterial;
  /** @param readKeys the key set of the moment; the one with the largest id signs */
  issuerOf(readKeys: () => readonly KeyMaterial[]): TokenIssuer;
}
