import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readMemoryBytes, readResidentBytes } from '../sandbox/process-usage.js';
import { startPythonSandbox } from '../testing/python-sandbox.js';
import { sha256Of } from '../testing/sandbox-fixture.js';
import { readChargedBytes } from './cgroup-memory.js';
import { findCgroups } from './find-cgroups.js';
import type { IsolationLevel } from './isolation.js';

const mebibyte = 1024 ** 2;

async function withFolder(files: Readonly<Record<string, string>>): Promise<number | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-cgroup-memory-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const bytes = readChargedBytes(folder);
  await rm(folder, { recursive: true });
  return bytes;
}

describe('what a cgroup is charged with', () => {
  it('is without the pages of files, but with shared memory and what is swapped out', async () => {
    const version1 = {
      'memory.usage_in_bytes': '1000\n',
      'memory.stat': 'cache 1\ntotal_cache 600\ntotal_rss 400\ntotal_shmem 200\ntotal_swap 50\n',
    };
    const version2 = {
      'memory.current': '1000\n',
      'memory.swap.current': '50\n',
      'memory.stat': 'anon 400\nfile 600\nshmem 200\nfile_mapped 5\n',
    };
    expect([await withFolder(version1), await withFolder(version2)]).toEqual([650, 650]);
  });

  it('is not known where there is none', async () => {
    expect(await withFolder({})).toBeUndefined();
  });

  const hasCgroups = !('missing' in findCgroups());
  const levels: IsolationLevel[] = hasCgroups ? ['sandbox', 'container'] : ['container'];
  it.each(levels)(
    'at level %s counts scratch files and shared memory that is not mapped',
    async (isolation) => {
      const python = await startPythonSandbox({ isolation, limits: { memoryMiB: 256, scratchMiB: 64 } });
      const source = `
import mmap, sys
def f():
    shared = mmap.mmap(-1, 40 << 20)
    for at in range(0, len(shared), 4096): shared[at] = 1
    shared.madvise(mmap.MADV_DONTNEED)
    sys.kept = shared
    with open('/tmp/x', 'wb') as file:
        for _ in range(50): file.write(bytes(1 << 20))
    return 1
`;
      const code = Buffer.from((await python.client.dump(source)).fc, 'base64');
      expect((await python.runBytes(code)).said).toBe('1');
      const need = { language: 'PY', owner: 'alice', functionSha256: sha256Of(code) } as const;
      const used = await python.pool.acquire(need);
      const resident = readResidentBytes(used.pid ?? 0) ?? 0;
      const weight = readMemoryBytes(used);
      python.pool.release(used);
      await python.stop();
      // 90 MiB that are not in its resident memory, less what it shares with other processes there.
      expect(resident).toBeGreaterThan(8 * mebibyte);
      expect(resident).toBeLessThan(80 * mebibyte);
      expect(weight).toBeGreaterThan(92 * mebibyte);
      expect(weight).toBeLessThan(200 * mebibyte);
    },
    30_000,
  );
});
