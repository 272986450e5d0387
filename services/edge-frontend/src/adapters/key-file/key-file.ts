import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Logger, messageOf } from '@gantry/kernel';
import { z } from 'zod';
import type { TrustedKeys, TrustedKeysFile } from '../../ports.js';

const fileSchema = z.object({
  keys: z.array(z.object({ id: z.number().int(), publicKey: z.string().regex(/^[0-9a-f]{64}$/) })).min(1),
  revoked: z.array(z.string()),
});

/** Keys and revocations in one JSON file, mode 0600; whoever could write it could sign in as anybody. */
export function keyFile(path: string, logger: Logger): TrustedKeysFile {
  return {
    read: async () => {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch {
        return undefined;
      }
      try {
        return fileSchema.parse(JSON.parse(text));
      } catch (error) {
        logger.warn('the file of known keys cannot be read; it is made anew', {
          path,
          reason: messageOf(error),
        });
        return undefined;
      }
    },
    write: async (trusted: TrustedKeys) => {
      try {
        await replaceFile(path, JSON.stringify(trusted));
      } catch (error) {
        logger.warn('known keys cannot be kept for a restart', { path, reason: messageOf(error) });
      }
    },
  };
}

/** Whole or not at all, also when the power goes. */
async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomUUID()}`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
