import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const pathIn = (dataDir: string) => join(dataDir, 'enrolment-nonce');

/**
 * Shows the bridge that it is the same agent that asks again with an enrolment token. On the disk before it is used, so
 * that a process that is started again has it; another token gets another.
 */
export async function nonceFor(dataDir: string, token: string): Promise<string> {
  const tokenSha256 = createHash('sha256').update(token).digest('hex');
  const kept = (await readFile(pathIn(dataDir), 'utf8').catch(() => '')).trim().split(' ');
  const [of, nonce] = kept;
  if (of === tokenSha256 && nonce !== undefined && /^[A-Za-z0-9_-]{22}$/.test(nonce)) return nonce;
  const made = randomBytes(16).toString('base64url');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(pathIn(dataDir), `${tokenSha256} ${made}\n`, { mode: 0o600, flush: true });
  return made;
}

export const forgetNonce = (dataDir: string): Promise<void> => rm(pathIn(dataDir), { force: true });
