// What every script needs first: the locked dependencies, and a build that is not older than the sources.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.gantry-lock-sha256');
const lockPath = join(root, 'package-lock.json');
const compiler = join(root, 'node_modules', 'typescript-native', 'bin', 'tsc');

/** Runs a command in the checkout with its output on ours; ends this process with its code when it fails. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

/** Installs what package-lock.json says unless that very lock is installed. */
export function ensureInstalled() {
  checkNodeVersion();
  const lock = readFileSync(lockPath);
  const wanted = createHash('sha256').update(lock).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('Installing the locked dependencies (once, about a minute) …');
  // Not `npm ci`: npm 11 refuses its own lock once jest 30 is in it. `npm install` keeps to the lock as well; only
  // its notes in the file differ between versions of npm, so the file is put back.
  run('npm', ['install', '--loglevel=error'], { stdio: ['ignore', process.stderr, 'inherit'] });
  if (!readFileSync(lockPath).equals(lock)) writeFileSync(lockPath, lock);
  writeFileSync(stamp, wanted);
}

/** Builds what is stale; the compiler itself knows. An installation without it keeps the build it came with. */
export function ensureBuilt() {
  if (!existsSync(compiler)) return;
  if (!existsSync(join(root, 'services', 'cli', 'dist'))) console.error('Building (once, a few seconds) …');
  run(process.execPath, [compiler, '-b']);
}

function checkNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`Gantry needs Node 20.19 or later; this is ${process.version}.`);
  process.exit(1);
}
