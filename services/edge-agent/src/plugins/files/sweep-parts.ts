import { lstat } from 'node:fs/promises';
import { removeAt } from './change-folder.js';
import { readNames } from './list-folder.js';
import type { SafePaths } from './safe-path.js';
import { isPartName } from './write-file.js';

/**
 * Removes what an agent that was killed left at the top of writable roots: parts of files and archives that no record
 * tells of. A root that cannot be read is passed over.
 * @param kept names of parts that uploads go on with
 * @param beforeMs since the epoch; what was changed later stays
 * @returns how many parts went
 */
export async function sweepParts(
  paths: SafePaths,
  kept: ReadonlySet<string>,
  beforeMs: number,
): Promise<number> {
  let count = 0;
  for (const root of paths.roots) {
    if (!root.isWritable) continue;
    const folder = await paths.openFolder(root.path).catch(() => undefined);
    if (folder === undefined) continue;
    try {
      const parts = (await readNames(folder, true).catch(() => [])).filter(isPartName);
      for (const name of parts) {
        if (kept.has(name)) continue;
        const stats = await lstat(folder.at(name)).catch(() => undefined);
        if (stats === undefined || stats.mtimeMs >= beforeMs) continue;
        const { signal } = new AbortController();
        const isGone = await removeAt(folder, name, true, signal, 0).then(
          () => true,
          () => false,
        );
        if (isGone) count += 1;
      }
    } finally {
      await folder.close();
    }
  }
  return count;
}
