// `npm run build`: install if needed, compile what is stale.
import { ensureBuilt, ensureInstalled } from './checkout.mjs';

ensureInstalled();
ensureBuilt();
