import type { AgentInfo, PluginInfo } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import { boundReport } from './bound-report.js';

const plugin = (name: string, more: Partial<PluginInfo> = {}): PluginInfo => ({
  ...{ name, aliases: [], version: '1', state: 'running', reason: null, health: null },
  ...{ permissions: [`${name}:read`], ui: {} },
  ...more,
});
const info = (more: Partial<AgentInfo> = {}): AgentInfo => ({
  ...{ node: 'n1', version: '1.2.3', started_at: '2026-01-01T00:00:00Z', labels: { site: 'lab' } },
  ...{ facts: { sysinfo: { cores: 4 } }, plugins: [plugin('jobs')] },
  config: { revision: 1, refused: null },
  events: { epoch: 'e', last_seq: 0, acknowledged: 0, waiting: 0, dropped_total: 0 },
  ...more,
});
const huge = 'z'.repeat(500_000);

describe('boundReport', () => {
  it('leaves a report of a usual size as it is', () => {
    expect(boundReport(info())).toEqual(info());
  });

  it.each<[string, Partial<AgentInfo>]>([
    ['facts', { facts: { x: { y: huge } } }],
    ['a version', { version: huge }],
    ['labels', { labels: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`l${i}`, huge])) }],
    ['a reason', { plugins: [plugin('jobs', { state: 'failed', reason: huge })] }],
    ['hints for a page', { plugins: [plugin('jobs', { ui: { huge } })] }],
    [
      'many plugins',
      { plugins: Array.from({ length: 5000 }, (_, i) => plugin(`p${i}`, { aliases: [huge] })) },
    ],
    [
      'everything that may be there',
      {
        plugins: Array.from({ length: 64 }, (_, i) =>
          plugin(`p${i}`, {
            permissions: Array.from({ length: 100 }, () => huge),
            ui: { x: 'y'.repeat(8000) },
          }),
        ),
      },
    ],
    ['a refusal', { config: { revision: 1, refused: { revision: 2, reason: huge } } }],
  ])('keeps a report with large %s small', (_what, more) => {
    const bounded = boundReport(info(more));
    expect(JSON.stringify(bounded).length).toBeLessThanOrEqual(256 * 1024);
    expect(bounded).toMatchObject({ node: 'n1', config: { revision: 1 } });
  });

  it('takes characters out that a terminal would obey', () => {
    expect(boundReport(info({ version: '\u001b]0;mine\u0007' })).version).toBe(' ]0;mine ');
  });
});
