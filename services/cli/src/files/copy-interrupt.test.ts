import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { CopyInterrupt } from './copy-interrupt.js';

describe('a copy that is interrupted', () => {
  it('keeps what can be gone on with, says which, and removes what is empty', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-interrupt-'));
    try {
      const [some, none, whole, gone] = ['some', 'none', 'whole', 'gone'].map((name) => join(folder, name));
      const interrupt = new CopyInterrupt();
      for (const part of [some, none, whole, gone]) interrupt.begun(part as string);
      writeFileSync(some as string, 'a');
      writeFileSync(none as string, '');
      writeFileSync(whole as string, 'b');
      interrupt.done(whole as string);
      expect(interrupt.leave()).toEqual([
        'interrupted; the same command with --resume goes on with it',
        `kept for it: ${some}`,
      ]);
      expect([some, none, whole].map((path) => existsSync(path as string))).toEqual([true, false, true]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
