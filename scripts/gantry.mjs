// `npm run demo` and the like: a command of the CLI from the checkout.
import { ensureBuilt, ensureInstalled } from './checkout.mjs';

ensureInstalled();
ensureBuilt();
const { main } = await import('../services/cli/dist/main.js');
await main(process.argv.slice(2));
