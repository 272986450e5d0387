// After the last test: what suites left behind goes, also of those that failed or were killed.
import { rmSync } from 'node:fs';

export default function end() {
  const folder = process.env.GANTRY_TESTS_FOLDER;
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
