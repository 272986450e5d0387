import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { lockDataDir } from './instance-lock.js';

const folder = () => join(mkdtempSync(join(tmpdir(), 'gantry-lock-')), 'data');
const release: Array<() => void> = [];
const lock = (dataDir: string) => release.push(lockDataDir(dataDir));

afterEach(() => {
  for (const give of release.splice(0)) give();
});

describe('lockDataDir', () => {
  it('makes the folder for its owner only', () => {
    const dataDir = folder();
    lock(dataDir);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  });

  it('refuses a second holder, names the first and says what to do', () => {
    const dataDir = folder();
    lock(dataDir);
    expect(() => lockDataDir(dataDir)).toThrow(new RegExp(`process ${process.pid}.*GANTRY_DATA_DIR`));
  });

  it('can be taken again once it was given back', () => {
    const dataDir = folder();
    lockDataDir(dataDir)();
    lock(dataDir);
    expect(JSON.parse(readFileSync(join(dataDir, 'gantry.lock'), 'utf8'))).toMatchObject({
      pid: process.pid,
    });
  });

  it('replaces the lock of a process that is gone', async () => {
    const dataDir = folder();
    const child = spawn(process.execPath, ['-e', '0']);
    await new Promise((resolve) => child.once('exit', resolve));
    lockDataDir(dataDir)();
    writeFileSync(join(dataDir, 'gantry.lock'), JSON.stringify({ pid: child.pid, startTicks: '1' }));
    lock(dataDir);
    expect(JSON.parse(readFileSync(join(dataDir, 'gantry.lock'), 'utf8'))).toMatchObject({
      pid: process.pid,
    });
  });

  it('replaces a lock whose process id was given to another process since', () => {
    const dataDir = folder();
    lockDataDir(dataDir)();
    writeFileSync(join(dataDir, 'gantry.lock'), JSON.stringify({ pid: process.pid, startTicks: '1' }));
    lock(dataDir);
    expect(release).toHaveLength(1);
  });

  it('replaces a lock that a crash left empty', () => {
    const dataDir = folder();
    lockDataDir(dataDir)();
    writeFileSync(join(dataDir, 'gantry.lock'), '');
    lock(dataDir);
    expect(release).toHaveLength(1);
  });
});
