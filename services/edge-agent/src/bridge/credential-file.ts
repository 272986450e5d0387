import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type NodeCredential, nodeCredentialSchema } from '@gantry/contracts';

const pathIn = (dataDir: string) => join(dataDir, 'credential.json');

/** The credential that was kept for this name; undefined when there is none, or it is another's or damaged. */
export async function readCredential(dataDir: string, name: string): Promise<NodeCredential | undefined> {
  try {
    const kept = nodeCredentialSchema.parse(JSON.parse(await readFile(pathIn(dataDir), 'utf8')));
    return kept.name === name ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces it whole; only the owner of the process can read it. */
export async function writeCredential(dataDir: string, credential: NodeCredential): Promise<void> {
  const draft = `${pathIn(dataDir)}.${process.pid}`;
  try {
    await writeFile(draft, JSON.stringify(credential), { mode: 0o600, flush: true });
    await rename(draft, pathIn(dataDir));
  } finally {
    await rm(draft, { force: true });
  }
}
