#!/usr/bin/env node
import { existsSync } from 'node:fs';

if (!existsSync(new URL('../dist/main.js', import.meta.url))) {
  console.error('Gantry is not built yet: run "npm run build" (or "npm start") in the checkout first.');
  process.exit(1);
}
const { main } = await import('../dist/main.js');
await main(process.argv.slice(2));
