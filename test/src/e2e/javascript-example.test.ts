/** The example of `docs/languages/javascript.md`, as it stands there. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runGantry } from '../support/command-line.js';
import { type Platform, startPlatform } from '../support/platform.js';
import { root } from '../support/processes.js';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
}, 90_000);
afterAll(async () => {
  await platform.stop();
});

it('the example of the JavaScript page does what the page says', async () => {
  const page = readFileSync(join(root, 'docs', 'languages', 'javascript.md'), 'utf8');
  const source = /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const file = join(mkdtempSync(join(tmpdir(), 'gantry-js-')), 'histogram.mjs');
  writeFileSync(file, source);
  const pushed = await runGantry(['functions', 'push', file, '--json'], platform);
  const { id } = JSON.parse(pushed.stdout) as { id: number };
  const call = () => runGantry(['call', String(id), 'a b a', '{"top":1}'], platform);
  const digest = createHash('sha256').update('a b a').digest('hex');
  expect(JSON.parse((await call()).stdout)).toEqual({ top: [['a', 2]], calls: 1, digest });
  expect(JSON.parse((await call()).stdout)).toEqual({ top: [['a', 2]], calls: 2, digest });
}, 60_000);
