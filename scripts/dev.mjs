// `npm run dev`: compile on every change, restart the platform on every build.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './checkout.mjs';

ensureInstalled();
ensureBuilt();
const options = { cwd: root, stdio: 'inherit' };
const children = [
  spawn(
    process.execPath,
    [join('node_modules', 'typescript-native', 'bin', 'tsc'), '-b', '-w', '--preserveWatchOutput'],
    options,
  ),
  spawn(
    process.execPath,
    ['--watch', '--watch-preserve-output', 'services/cli/bin/gantry.mjs', 'up', ...process.argv.slice(2)],
    options,
  ),
];
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    for (const child of children) child.kill(signal);
  });
