import { AppError } from '@gantry/kernel';
import type { Account, AccountStore } from '@gantry/store';
import type { FailureLimiter, PasswordHasher } from '../ports.js';
import type { BoundedWork } from './bounded-work.js';

export interface CredentialDeps {
  readonly accounts: Pick<AccountStore, 'find'>;
  readonly hasher: PasswordHasher;
  /** Verified in place of an unknown account's hash, with the same cost. */
  readonly decoyHash: string;
  readonly hashing: BoundedWork;
  readonly failures: FailureLimiter;
}

export interface SignInAttempt {
  readonly name: string;
  readonly password: string;
  /** The peer's address: failures count for the pair of account and address. */
  readonly address: string;
}

/**
 * Answers the account whose password this is. Exactly one hash is verified, whether or not the account exists, so
 * that the time of an answer tells nothing. Only failures count towards the limit.
 * @throws {AppError} invalid-credentials, too-many-sign-ins, too-many-requests when the queue is full
 */
export async function checkCredentials(deps: CredentialDeps, attempt: SignInAttempt): Promise<Account> {
  const key = JSON.stringify([attempt.name, attempt.address]);
  await refuseWhenBlocked(deps.failures, key);
  return deps.hashing.run(async () => {
    // Again, after the wait: of a burst, only what is being hashed at this moment can go beyond the limit.
    await refuseWhenBlocked(deps.failures, key);
    const account = await deps.accounts.find(attempt.name);
    const isRight = await deps.hasher.verify(account?.passwordHash ?? deps.decoyHash, attempt.password);
    if (account !== undefined && isRight) return account;
    await deps.failures.recordFailure(key);
    throw new AppError('invalid-credentials');
  });
}

async function refuseWhenBlocked(failures: FailureLimiter, key: string): Promise<void> {
  const retryAfterMs = await failures.blockedForMs(key);
  if (retryAfterMs === 0) return;
  throw new AppError('too-many-sign-ins', 'Too many failed sign-ins for this account from this address', {
    retryAfterMs,
  });
}
