// `npm run bench`: builds what is stale and measures the pipeline beside bare RabbitMQ. `-- --quick`, `-- --json FILE`.
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root, run } from './checkout.mjs';

ensureInstalled();
ensureBuilt();
run(process.execPath, [join(root, 'loadtest', 'dist', 'main.js'), ...process.argv.slice(2)], {
  cwd: process.cwd(),
});
