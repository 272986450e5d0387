import { type Clock, hasCode, type Logger, newSecret } from '@gantry/kernel';
import type { AccountStore, TokenLog } from '@gantry/store';
import type { PasswordFile, PasswordHasher } from '../ports.js';

export interface EnsureAdministratorDeps {
  readonly accounts: Pick<AccountStore, 'create' | 'find' | 'list' | 'setPasswordHash'>;
  readonly tokens: Pick<TokenLog, 'revokeAllOf'>;
  readonly hasher: PasswordHasher;
  readonly file: PasswordFile;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly quota: { readonly functions: number; readonly bytes: number };
}

/** The first account, when this start made it with a random password; show the password to a person, once. */
export interface FirstAccount {
  readonly name: string;
  readonly password: string;
  /** Where it is kept, mode 0600. */
  readonly passwordFile: string;
}

/** Name of the first account. */
const administratorName = 'admin';

const minPasswordLength = 12;

/**
 * Makes the first account when there is none. Several frontends may start on one store at the same moment: one makes
 * it, the others go on.
 * @param given the password that the configuration sets; on later starts it replaces another one
 */
export async function ensureAdministrator(
  deps: EnsureAdministratorDeps,
  given: string | undefined,
): Promise<FirstAccount | undefined> {
  const { items } = await deps.accounts.list({ limit: 1 });
  if (items.length > 0) {
    if (given !== undefined) await applyPassword(deps, given);
    return undefined;
  }
  if (given === undefined) return createWithRandomPassword(deps);
  if (!(await createAdministrator(deps, given))) await applyPassword(deps, given);
  return undefined;
}

/**
 * The password is on disk before the account exists: a crash in between leaves a file that the next start uses,
 * instead of an account that nobody can sign in to.
 */
async function createWithRandomPassword(deps: EnsureAdministratorDeps): Promise<FirstAccount | undefined> {
  const isNew = await deps.file.writeNew(newSecret());
  const password = await deps.file.read();
  if (password === undefined || password.length < minPasswordLength)
    throw new Error(
      `${deps.file.path} has no password of ${minPasswordLength} characters: remove the file and start again`,
    );
  if (await createAdministrator(deps, password))
    return { name: administratorName, password, passwordFile: deps.file.path };
  // Another frontend made the account. With the same data folder it used this file; else the file is of no use.
  const account = await deps.accounts.find(administratorName);
  const isItsPassword = account !== undefined && (await deps.hasher.verify(account.passwordHash, password));
  if (isNew && !isItsPassword) await deps.file.remove();
  return undefined;
}

/** False when it exists already. */
async function createAdministrator(deps: EnsureAdministratorDeps, password: string): Promise<boolean> {
  try {
    await deps.accounts.create({
      name: administratorName,
      role: 'administrator',
      org: undefined,
      passwordHash: await deps.hasher.hash(password),
      createdAtMs: deps.clock.now(),
      quotaFunctions: deps.quota.functions,
      quotaFunctionBytes: deps.quota.bytes,
    });
    deps.logger.info('first account made', { op: 'account.create', account: administratorName });
    return true;
  } catch (error) {
    if (hasCode(error, 'account-exists')) return false;
    throw error;
  }
}

async function applyPassword(deps: EnsureAdministratorDeps, password: string): Promise<void> {
  const account = await deps.accounts.find(administratorName);
  if (account === undefined) {
    deps.logger.warn('the password of the configuration is not used: the first account was deleted', {
      account: administratorName,
    });
    return;
  }
  if (await deps.hasher.verify(account.passwordHash, password)) return;
  await deps.accounts.setPasswordHash(administratorName, await deps.hasher.hash(password));
  await deps.tokens.revokeAllOf(administratorName);
  deps.logger.info('password set from the configuration', {
    op: 'account.set-password',
    account: administratorName,
  });
}
