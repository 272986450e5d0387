// `npm start`: install if needed, build if stale, then the whole platform in this process.
import { ensureBuilt, ensureInstalled } from './checkout.mjs';

ensureInstalled();
ensureBuilt();
const { main } = await import('../services/cli/dist/main.js');
await main(['up', ...process.argv.slice(2)]);
