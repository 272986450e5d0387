/** What kind of disk is behind a mount. */
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DiskMetrics } from '@gantry/contracts';

const sharedTypes =
  /^(nfs\d*|lustre|gpfs|cifs|smb\d*|smbfs|beegfs|ceph|afs|glusterfs|pvfs2|orangefs|panfs|wekafs|9p|virtiofs|fuse\.(sshfs|glusterfs|ceph.*|s3fs|rclone|beegfs))$/i;

/** Whether the file system of this type lives on other machines. */
export const isSharedType = (fstype: string): boolean => sharedTypes.test(fstype);

/** @param sysRoot `/sys`, or a copy of it in tests */
export async function diskTypeOf(
  device: string,
  fstype: string,
  sysRoot = '/sys',
): Promise<DiskMetrics['type']> {
  if (isSharedType(fstype)) return 'shared';
  if (!device.startsWith('/dev/')) return 'unknown';
  const rotational = await readRotational(device, sysRoot);
  if (rotational === undefined) return 'unknown';
  return rotational === '1' ? 'local hdd' : 'local ssd';
}

/** A partition has no queue of its own; its disk, one folder up in sysfs, has. */
async function readRotational(device: string, sysRoot: string): Promise<string | undefined> {
  try {
    const real = await realpath(device).catch(() => device);
    const node = await realpath(join(sysRoot, 'class/block', basename(real)));
    for (const folder of [node, dirname(node)]) {
      const text = await readFile(join(folder, 'queue/rotational'), 'utf8').catch(() => undefined);
      if (text !== undefined) return text.trim();
    }
  } catch {
    // Not a block device of this machine.
  }
  return undefined;
}
