import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { logLimit } from './log-limit.js';

let folder: string;
let path: string;
let fd: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-log-'));
  path = join(folder, 'Nature.1.log');
  fd = openSync(path, 'a');
});
afterEach(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

const look = async () => {
  const part = logLimit(100, fd);
  await part.start?.();
  await part.stop?.();
};

it('starts a log again when it is too large, and keeps the one before', async () => {
  const line = `${'x'.repeat(149)}\n`;
  writeSync(fd, line);
  await look();
  writeSync(fd, 'next\n');
  expect(readFileSync(path, 'utf8')).toBe('next\n');
  expect(readFileSync(`${path}.old`, 'utf8')).toBe(line);
});

it('leaves a small log as it is', async () => {
  writeSync(fd, 'short\n');
  await look();
  expect(statSync(path).size).toBe(6);
});
