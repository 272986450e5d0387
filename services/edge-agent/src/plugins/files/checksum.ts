import type { FileHandle } from 'node:fs/promises';
import type { PluginThreads } from '../../core/ports.js';
import { run } from './checksum.worker.js';

/** Below this a thread costs more than the hash. */
const inlineBytes = 4 * 1024 * 1024;
const module = new URL('./checksum.worker.js', import.meta.url);

/** Even a slow disk reads more than 10 MB a second. */
const timeoutFor = (sizeBytes: number): number => 60_000 + sizeBytes / 10_000;

/** The sha256 of an open file, in hex; large ones are read in a thread. The handle must stay open until it settles. */
export async function sha256Of(
  handle: FileHandle,
  threads: PluginThreads,
  signal: AbortSignal,
): Promise<string> {
  const { size } = await handle.stat();
  if (size <= inlineBytes) return run({ fd: handle.fd });
  return threads.run<string>(module, { fd: handle.fd }, { timeoutMs: timeoutFor(size), signal });
}
