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

const racerSource = `
const { lockDataDir } = await import(process.argv[1]);
process.stdout.write('ready');
process.stdin.on('data', (dataDir) => {
  try {
    lockDataDir(String(dataDir));
    process.stdout.write('held');
  } catch (error) {
    process.stdout.write(error.name === 'AlreadyRunningError' ? 'refused' : String(error));
  }
});
`;

/** Processes that all try at the same moment, once for each folder; they answer how it went. */
async function race(dataDirs: readonly string[], count: number): Promise<string[][]> {
  const module = new URL('./instance-lock.js', import.meta.url).href;
  const racers = Array.from({ length: count }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', racerSource, module]),
  );
  const nextOfAll = () =>
    Promise.all(
      racers.map(
        ({ stdout }) =>
          new Promise<string>((resolve) => stdout.once('data', (chunk) => resolve(String(chunk)))),
      ),
    );
  const outcomes: string[][] = [];
  try {
    await nextOfAll();
    for (const dataDir of dataDirs) {
      const round = nextOfAll();
      for (const racer of racers) racer.stdin.write(dataDir);
      outcomes.push(await round);
    }
    return outcomes;
  } finally {
    for (const racer of racers) racer.kill('SIGKILL');
  }
}

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

  it('is taken by exactly one of several processes that race for a stale one', async () => {
    const dataDirs = Array.from({ length: 20 }, folder);
    for (const dataDir of dataDirs) {
      lockDataDir(dataDir)();
      writeFileSync(join(dataDir, 'gantry.lock'), JSON.stringify({ pid: process.pid, startTicks: '1' }));
    }
    for (const outcomes of await race(dataDirs, 6)) {
      expect(outcomes.filter((outcome) => outcome === 'held')).toHaveLength(1);
      // The others hear of the holder, or on a busy machine that somebody was just taking it.
      for (const outcome of outcomes)
        expect(outcome).toMatch(/^(held|refused|Error: .* another start is under way)/);
    }
  }, 60_000);

  it('replaces a lock that a crash left empty', () => {
    const dataDir = folder();
    lockDataDir(dataDir)();
    writeFileSync(join(dataDir, 'gantry.lock'), '');
    lock(dataDir);
    expect(release).toHaveLength(1);
  });
});
