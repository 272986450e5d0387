import type { Principal } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { Account, AccountStore, TokenLog } from '@gantry/store';
import type { IssuedToken } from '@gantry/tokens';
import { type CredentialDeps, checkCredentials, type SignInAttempt } from './check-credentials.js';

export interface SignInDeps extends CredentialDeps {
  readonly accounts: Pick<AccountStore, 'find'>;
  readonly tokens: Pick<TokenLog, 'recordIssued' | 'revoke'>;
  readonly issue: (principal: Principal) => Promise<IssuedToken>;
}

/**
 * Answers a token for the account, after recording it so that it can be revoked with the account.
 * @throws {AppError} invalid-credentials, too-many-sign-ins, too-many-requests, store-unavailable
 */
export async function signIn(deps: SignInDeps, attempt: SignInAttempt): Promise<string> {
  const account = await checkCredentials(deps, attempt);
  const issued = await deps.issue(toPrincipal(account));
  await deps.tokens.recordIssued({ ...issued, user: account.name });
  // The password was changed, or the account deleted, while this one was being hashed: "revoke all" came before
  // the record of this token.
  const current = await deps.accounts.find(account.name);
  if (current?.passwordHash !== account.passwordHash) {
    await deps.tokens.revoke(issued.revocationId, issued.expiresAtMs);
    throw new AppError('invalid-credentials');
  }
  return issued.token;
}

const toPrincipal = (account: Account): Principal => ({
  user: account.name,
  org: account.org,
  role: account.role,
});
