import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { startFakePlatform } from './fake-platform.fixture.js';
import { brightest } from './readme.example.js';

it('the example of the README is the one that compiles here, and it runs', async () => {
  const root = new URL('../', import.meta.url);
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  const example = readFileSync(new URL('src/readme.example.ts', root), 'utf8');
  const shown = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  expect(shown?.replace("'@gantry/client'", "'./index.js'")).toBe(example);

  const platform = await startFakePlatform();
  try {
    expect(await brightest(platform.cloud.url, 'a password')).toBe(255);
  } finally {
    await platform.stop();
  }
});
