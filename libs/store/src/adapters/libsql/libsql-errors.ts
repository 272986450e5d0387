import { AppError, messageOf } from '@gantry/kernel';

/** Results of SQLite that are our mistake; all others are the file's, the disk's or another process's. */
const mistakes = [
  'SQLITE_ERROR',
  'SQLITE_CONSTRAINT',
  'SQLITE_MISMATCH',
  'SQLITE_RANGE',
  'SQLITE_TOOBIG',
  'SQLITE_MISUSE',
];
const reasons: Readonly<Record<string, string>> = {
  SQLITE_FULL: 'the disk is full; free some space',
  SQLITE_READONLY: 'it is read-only; check its mode and owner',
  SQLITE_CANTOPEN: 'it cannot be opened; check that the folder exists and may be written',
  SQLITE_BUSY: 'another process holds it; try again',
  SQLITE_NOTADB: 'the file is not a database of Gantry',
  SQLITE_CORRUPT: 'the file is damaged; restore a backup',
};

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';

/** What libsql threw, as the one error of the platform. */
export function toStoreError(error: unknown, path: string): AppError {
  const code = codeOf(error);
  if (mistakes.some((mistake) => code === mistake || code.startsWith(`${mistake}_`))) {
    return new AppError('internal-error', 'The store refused a statement', { cause: error });
  }
  const reason = Object.entries(reasons).find(([key]) => code.startsWith(key))?.[1] ?? messageOf(error);
  return new AppError('store-unavailable', `The store ${path} does not answer: ${reason}`, {
    cause: error,
    retryAfterMs: code.startsWith('SQLITE_BUSY') ? 1000 : 5000,
  });
}

/** Whether another process only holds the file for the moment. */
export const isBusy = (error: unknown): boolean => {
  const cause = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : error;
  return /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(codeOf(cause));
};
