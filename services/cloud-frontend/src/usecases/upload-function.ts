import { createHash } from 'node:crypto';
import { type FunctionUpload, type Language, languages, type Principal } from '@gantry/contracts';
import { AppError, type Clock } from '@gantry/kernel';
import type { AccountStore, DocumentStore } from '@gantry/store';

export interface UploadFunctionDeps {
  readonly accounts: Pick<AccountStore, 'find'>;
  readonly documents: Pick<DocumentStore, 'putFunction'>;
  readonly clock: Clock;
}

/**
 * Stores a function and answers its id. The same function (owner, language and our own sha256 of the decoded bytes)
 * answers the same id; the client's FC_HASH decides nothing, because two functions can share it.
 * @throws {AppError} unsupported-language, quota-exceeded, token-revoked when the account is gone, store-unavailable
 */
export async function uploadFunction(
  deps: UploadFunctionDeps,
  principal: Principal,
  upload: FunctionUpload,
): Promise<number> {
  const language = toLanguage(upload.LANG);
  const account = await deps.accounts.find(principal.user);
  if (account === undefined) throw new AppError('token-revoked', `The account ${principal.user} was deleted`);
  const code = Buffer.from(upload.FC, 'base64');
  const fn = {
    owner: account.name,
    name: upload.NAME ?? undefined,
    language,
    clientHash: upload.FC_HASH,
    sha256: createHash('sha256').update(code).digest('hex'),
    code,
    createdAtMs: deps.clock.now(),
  };
  return deps.documents.putFunction(fn, {
    functions: account.quotaFunctions,
    bytes: account.quotaFunctionBytes,
  });
}

function toLanguage(name: string): Language {
  const language = languages.find((one) => one === name);
  if (language !== undefined) return language;
  const reason =
    name === 'WASM' ? 'WASM is reserved and not supported yet' : `${name.slice(0, 32)} is not a language`;
  throw new AppError('unsupported-language', `LANG: ${reason}; use ${languages.join(', ')}`, {
    errors: [{ pointer: '/body/LANG', detail: `must be one of ${languages.join(', ')}` }],
  });
}
