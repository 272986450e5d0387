import type { AccountStore, TokenLog } from '@gantry/store';
import type { PasswordHasher } from '../ports.js';
import type { BoundedWork } from './bounded-work.js';

export interface ChangePasswordDeps {
  readonly accounts: Pick<AccountStore, 'setPasswordHash'>;
  readonly tokens: Pick<TokenLog, 'revokeAllOf'>;
  readonly hasher: PasswordHasher;
  readonly hashing: BoundedWork;
  /** Puts what was written in force here. */
  readonly refresh: () => Promise<void>;
}

/**
 * Sets a password and revokes every token of the account.
 * @throws {AppError} account-not-found, too-many-requests, store-unavailable
 */
export async function changePassword(
  deps: ChangePasswordDeps,
  name: string,
  password: string,
): Promise<void> {
  const passwordHash = await deps.hashing.run(() => deps.hasher.hash(password));
  // Before, so that a store that fails in between leaves no old token with the new password; and after, for tokens
  // that were issued for the old password meanwhile.
  await deps.tokens.revokeAllOf(name);
  await deps.accounts.setPasswordHash(name, passwordHash);
  await deps.tokens.revokeAllOf(name);
  await deps.refresh();
}
