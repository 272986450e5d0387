import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { statusFile } from './status-file.js';

const folder = mkdtempSync(join(tmpdir(), 'gantry-status-'));
const path = join(folder, 'Nature.1.status');
const read = () => JSON.parse(readFileSync(path, 'utf8'));

afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('says at once and at every change how a runtime is, and nothing once it has ended', async () => {
  const state = { phase: 'starting', reason: 'the runtime is starting' as string | undefined, running: 0 };
  const runtime = {
    runtimeId: 'r1',
    get phase() {
      return state.phase;
    },
    get running() {
      return state.running;
    },
    notReady: () => state.reason,
  };
  const part = statusFile(path, runtime as Parameters<typeof statusFile>[1]);
  await part.start?.();
  expect(read()).toEqual({
    runtime_id: 'r1',
    phase: 'starting',
    not_ready: 'the runtime is starting',
    running: 0,
  });
  Object.assign(state, { phase: 'taking', reason: undefined, running: 2 });
  while (read().phase === 'starting') await new Promise((resolve) => setTimeout(resolve, 10));
  expect(read()).toEqual({ runtime_id: 'r1', phase: 'taking', not_ready: null, running: 2 });
  await part.stop?.();
  expect(existsSync(path)).toBe(false);
});
