/** What is told about a file. Pure. */
import type { BigIntStats } from 'node:fs';
import type { FileEntry } from '@gantry/contracts';

/**
 * Changes whenever the content may have: inode, size, and both times in nanoseconds (the status time cannot be set
 * back by whoever writes).
 */
export const etagOf = ({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  `"${[ino, size, mtimeNs, ctimeNs].map((part) => part.toString(36)).join('-')}"`;

const kindOf = (stats: BigIntStats): FileEntry['type'] => {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'dir';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
};

export function toEntry(
  name: string,
  path: string,
  stats: BigIntStats,
  target: string | null = null,
): FileEntry {
  const isFile = stats.isFile();
  return {
    name,
    path,
    type: kindOf(stats),
    size: isFile ? Number(stats.size) : null,
    mode: (Number(stats.mode) & 0o7777).toString(8).padStart(4, '0'),
    modified_at: new Date(Number(stats.mtimeNs / 1_000_000n)).toISOString(),
    etag: isFile ? etagOf(stats) : null,
    target,
  };
}
