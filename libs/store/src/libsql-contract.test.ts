import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { describeStoreContract } from './contract/store.contract.js';

const folder = mkdtempSync(join(tmpdir(), 'gantry-store-'));
let databases = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeStoreContract('libsql', {
  createDatabase: async () => {
    databases += 1;
    return `file:${join(folder, String(databases), 'gantry.db')}`;
  },
});
