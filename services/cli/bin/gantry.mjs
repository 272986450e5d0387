#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

if (!existsSync(new URL('../dist/main.js', import.meta.url))) {
  console.error('Gantry is not built yet: run "npm run build" (or "npm start") in the checkout first.');
  process.exit(1);
}
const { GANTRY_CA_FILE: caFile, NODE_EXTRA_CA_CERTS: known } = process.env;
if (caFile && caFile !== known && process.argv[2] !== 'up' && process.argv[2] !== 'agent') {
  if (!existsSync(caFile)) {
    console.error(`GANTRY_CA_FILE: there is no file "${caFile}"`);
    process.exit(2);
  }
  // Node reads the authorities that it trusts beside the system's when it starts, and at no other time.
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: caFile };
  const { status } = spawnSync(process.execPath, process.argv.slice(1), { env, stdio: 'inherit' });
  process.exit(status ?? 1);
}
const { main } = await import('../dist/main.js');
await main(process.argv.slice(2));
