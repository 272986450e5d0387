import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AuditFile } from './audit-file.js';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'gantry-audit-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

async function opened(maxFileBytes = 1_000_000, clock = systemClock) {
  const audit = new AuditFile({
    ...{ folder: join(parent, 'audit'), name: 'audit', maxFileBytes, clock, logger: silentLogger },
  });
  await audit.start();
  return audit;
}
const entry = (node: string) => ({ action: 'node.call', outcome: 'done', user: 'ada', node }) as const;
const linesOf = (name: string) =>
  readFileSync(join(parent, 'audit', name), 'utf8')
    .trim()
    .split('\n');

describe('the audit log', () => {
  it('has every entry in its order, also of an earlier start, for its owner only', async () => {
    const first = await opened();
    for (let index = 0; index < 200; index += 1) first.write(entry(`n${index}`));
    await first.stop();
    const second = await opened();
    second.write(entry('last'));
    await second.stop();
    const nodes = linesOf('audit.jsonl').map((line) => (JSON.parse(line) as { node: string }).node);
    expect(nodes).toEqual([...Array.from({ length: 200 }, (_, index) => `n${index}`), 'last']);
    expect(statSync(join(parent, 'audit', 'audit.jsonl')).mode & 0o777).toBe(0o600);
  });

  it('begins a new file when one is full, and keeps ten', async () => {
    let nowMs = Date.now();
    const audit = await opened(1, { ...systemClock, now: () => nowMs });
    for (let index = 0; index < 15; index += 1) {
      nowMs += 1000;
      audit.write(entry(`n${index}`));
      await audit.stop();
    }
    const names = readdirSync(join(parent, 'audit'));
    expect(names).toHaveLength(10);
    expect(linesOf('audit.jsonl')[0]).toContain('"n14"');
  });
});
