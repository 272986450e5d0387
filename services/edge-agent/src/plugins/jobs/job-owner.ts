import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The first line of a journal is at most a job spec. */
const maxBytes = 512 * 1024;

/**
 * Whose job a script of Slurm is, by the journal beside it. undefined: it is none of this plugin. The folder of jobs is
 * private to the user of the agent, and who asks makes sure that the job is this user's.
 */
export async function readJobOwner(script: string): Promise<string | undefined> {
  if (basename(script) !== 'script.sh' || !/^[0-9a-f-]{36}$/.test(basename(dirname(script))))
    return undefined;
  try {
    const handle = await open(join(dirname(script), 'journal'), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const buffer = Buffer.alloc(maxBytes);
      const { bytesRead } = await handle.read(buffer, 0, maxBytes, 0);
      const end = buffer.indexOf(0x0a);
      if (end === -1 || end >= bytesRead) return undefined;
      const { id, owner } = JSON.parse(buffer.toString('utf8', 0, end)) as { id?: unknown; owner?: unknown };
      return id === basename(dirname(script)) && typeof owner === 'string' ? owner : undefined;
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}
