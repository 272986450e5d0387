// Before the first test: a folder of its own for everything that tests put into the temporary folder.
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function begin() {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-tests-'));
  // PostgreSQL and executor processes run as other users, who have to get through to their own folders.
  chmodSync(folder, 0o711);
  process.env.GANTRY_TESTS_FOLDER = folder;
  process.env.TMPDIR = folder; // what os.tmpdir() answers, in the workers too
}
