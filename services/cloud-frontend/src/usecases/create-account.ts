import type { newAccountSchema } from '@gantry/contracts';
import { AppError, type Clock } from '@gantry/kernel';
import type { Account, AccountStore } from '@gantry/store';
import type { z } from 'zod';
import type { PasswordHasher } from '../ports.js';
import type { BoundedWork } from './bounded-work.js';

export interface CreateAccountDeps {
  readonly accounts: Pick<AccountStore, 'create'>;
  readonly hasher: PasswordHasher;
  readonly hashing: BoundedWork;
  readonly clock: Clock;
  readonly defaultQuota: { readonly functions: number; readonly bytes: number };
}

/** `/v1/accounts/me` means the caller: an account of that name could not be addressed. */
const reservedName = 'me';

/** @throws {AppError} account-exists, invalid-request for the name "me", too-many-requests, store-unavailable */
export async function createAccount(
  deps: CreateAccountDeps,
  wanted: z.output<typeof newAccountSchema>,
): Promise<Account> {
  if (wanted.name === reservedName)
    throw new AppError('invalid-request', `/body/name: "${reservedName}" is reserved`, {
      errors: [{ pointer: '/body/name', detail: 'is reserved' }],
    });
  const account: Account = {
    name: wanted.name,
    role: wanted.role,
    org: wanted.org ?? undefined,
    passwordHash: await deps.hashing.run(() => deps.hasher.hash(wanted.password)),
    createdAtMs: deps.clock.now(),
    quotaFunctions: wanted.quota_functions ?? deps.defaultQuota.functions,
    quotaFunctionBytes: wanted.quota_function_bytes ?? deps.defaultQuota.bytes,
  };
  await deps.accounts.create(account);
  return account;
}
