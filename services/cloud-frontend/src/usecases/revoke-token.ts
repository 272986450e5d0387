import { isAdministrator } from '@gantry/contracts';
import { AppError, type Clock } from '@gantry/kernel';
import type { TokenLog } from '@gantry/store';
import type { VerifiedToken } from '@gantry/tokens';

export interface RevokeTokenDeps {
  readonly tokens: Pick<TokenLog, 'ownerOf' | 'revoke'>;
  readonly clock: Clock;
  readonly tokenLifetimeMs: number;
  /** Puts what was written in force here. */
  readonly refresh: () => Promise<void>;
}

/**
 * Revokes a token by the id of any of its blocks. Administrators may name any id; others one of a token that was
 * issued to them, or of the token they call with (a block that they appended is in no log).
 * @throws {AppError} forbidden, store-unavailable
 */
export async function revokeToken(
  deps: RevokeTokenDeps,
  caller: VerifiedToken,
  revocationId: string,
): Promise<void> {
  const { user } = caller.principal;
  const isOwn =
    caller.revocationIds.includes(revocationId) || (await deps.tokens.ownerOf(revocationId)) === user;
  if (!isOwn && !isAdministrator(caller.principal))
    throw new AppError('forbidden', 'This token was not issued to you; ask an administrator to revoke it');
  // No token lives longer than one that is issued now.
  await deps.tokens.revoke(revocationId, deps.clock.now() + deps.tokenLifetimeMs);
  await deps.refresh();
}
