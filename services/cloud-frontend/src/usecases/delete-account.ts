import { hasCode } from '@gantry/kernel';
import type { AccountStore, TokenLog } from '@gantry/store';

export interface DeleteAccountDeps {
  readonly accounts: Pick<AccountStore, 'remove'>;
  readonly tokens: Pick<TokenLog, 'revokeAllOf'>;
  /** Puts what was written in force here. */
  readonly refresh: () => Promise<void>;
}

/**
 * Removes the account with its documents and revokes its tokens.
 * @throws {AppError} account-not-found, last-administrator, store-unavailable
 */
export async function deleteAccount(deps: DeleteAccountDeps, name: string): Promise<void> {
  const revoke = async () => {
    await deps.tokens.revokeAllOf(name);
    await deps.refresh();
  };
  try {
    await deps.accounts.remove(name);
  } catch (error) {
    // The store may have failed between the two steps of an earlier try, which is now repeated.
    if (hasCode(error, 'account-not-found')) await revoke();
    throw error;
  }
  await revoke();
}
