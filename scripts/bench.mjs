// `npm run bench` and `npm run bench:NAME`: builds what is stale and measures. `-- --quick`, `-- --json FILE`.
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root, run } from './checkout.mjs';

const programs = {
  nodes: join('nodes', 'main.js'),
  pipeline: 'main.js',
  runtimes: join('runtimes', 'main.js'),
  tunnel: join('tunnel', 'main.js'),
};

const [name = 'pipeline', ...options] = process.argv.slice(2);
const program = programs[name];
if (program === undefined) {
  console.error(`There is no benchmark "${name}"; choose one of ${Object.keys(programs).join(', ')}`);
  process.exit(2);
}
ensureInstalled();
ensureBuilt();
run(process.execPath, [join(root, 'loadtest', 'dist', program), ...options], { cwd: process.cwd() });
