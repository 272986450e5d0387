import type { ProblemCode } from '@gantry/contracts';
import { AppError, isAppError } from '@gantry/kernel';

const codes: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  ENOENT: ['file-not-found', 'there is no such file or folder'],
  ENOTDIR: ['wrong-file-type', 'Not a directory'],
  EISDIR: ['wrong-file-type', 'it is a folder'],
  EEXIST: ['file-exists', 'it exists already'],
  ENOTEMPTY: ['folder-not-empty', 'the folder is not empty'],
  EACCES: ['file-access-denied', 'the agent has no permission'],
  EPERM: ['file-access-denied', 'the agent has no permission'],
  EROFS: ['file-access-denied', 'the file system is read-only'],
  ETXTBSY: ['file-access-denied', 'the program is running'],
  EBUSY: ['file-access-denied', 'it is in use'],
  ELOOP: ['path-refused', 'symbolic links are not followed here'],
  ENAMETOOLONG: ['invalid-path', 'the name is too long'],
  EINVAL: ['invalid-path', 'the name is not valid'],
  EXDEV: ['invalid-path', 'the target is on another file system; copy and delete instead'],
  ENOSPC: ['no-space-left', 'the disk is full'],
  EDQUOT: ['no-space-left', 'the quota is used up'],
  EFBIG: ['no-space-left', 'the file system does not take files this large'],
};

/** What a failed system call means for the caller, who named `path`. Anything else is passed on. */
function toFileError(error: unknown, path: string): unknown {
  if (isAppError(error) || typeof error !== 'object' || error === null || !('code' in error)) return error;
  const known = codes[String(error.code)];
  return known === undefined
    ? error
    : new AppError(known[0], `${path.slice(0, 500)}: ${known[1]}`, { cause: error });
}

/** Runs file work for a path of the caller, with its errors translated. */
export async function forPath<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFileError(error, path);
  }
}
