import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const program = fileURLToPath(new URL('../test-support/agent-process.js', import.meta.url));
const headers = {
  'test-caller': JSON.stringify({ user: 'ada', rights: ['*'], expiresAt: Date.now() + 3600_000 }),
};

it.each(['timer', 'promise', 'emitter'])(
  'a plugin that throws from a %s is started again, and the agent with the others goes on',
  async (way) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'gantry-crash-'));
    const child = spawn(process.execPath, [program, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const url = line.toString().trim();
      const get = (path: string) => fetch(url + path, { headers });
      const startsOf = async () =>
        ((await (await get('/probe/starts')).json()) as { starts?: number }).starts;
      expect(await startsOf()).toBe(1);
      await get(`/probe/stray/${way}`);
      let starts: number | undefined = 1;
      const giveUpMs = performance.now() + 20_000;
      while (starts !== 2 && performance.now() < giveUpMs) starts = await startsOf();
      expect(starts).toBe(2);
      expect((await get('/files/roots')).status).toBe(200);
      expect(child.exitCode).toBeNull();
    } finally {
      child.kill('SIGKILL');
      await exited;
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);
