import type { NodeView } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import { toChange, toText, without } from './node-settings.js';

describe('a setting on the command line', () => {
  it.each([
    ['sysinfo.intervalSeconds=30', { plugin: 'sysinfo', key: 'intervalSeconds', value: 30 }],
    ['files.ownFolder=false', { plugin: 'files', key: 'ownFolder', value: false }],
    ['files.roots=[{"name":"a"}]', { plugin: 'files', key: 'roots', value: [{ name: 'a' }] }],
    ['sysinfo.nvidiaSmiPath=/opt/a=b', { plugin: 'sysinfo', key: 'nvidiaSmiPath', value: '/opt/a=b' }],
    ['queue-info.cacheSeconds=', { plugin: 'queue-info', key: 'cacheSeconds', value: '' }],
  ])('%s', (word, change) => {
    expect(toChange(word)).toEqual(change);
  });

  it.each(['sysinfo', 'sysinfo=1', 'sysinfo.a.b=1', '.a=1', 'sysinfo.=1'])('%s is none', (word) => {
    expect(() => toChange(word)).toThrow('write PLUGIN.KEY=VALUE');
  });

  it('is forgotten by its key, or with its plugin', () => {
    const plugins = { files: { a: 1, b: 2 }, jobs: { c: 3 } };
    expect(without(plugins, ['files.a', 'jobs.c'])).toEqual({ files: { b: 2 } });
    expect(without(plugins, ['files'])).toEqual({ jobs: { c: 3 } });
    expect(() => without(plugins, ['files.c'])).toThrow('"files.c" is not set here');
    expect(plugins).toEqual({ files: { a: 1, b: 2 }, jobs: { c: 3 } });
  });

  it('is shown with where it is from, and what the node refused', () => {
    const inForce = {
      revision: 9,
      disabled: ['jobs'],
      plugins: { files: { a: 1, b: 2 } },
      labels: ['site=lab'],
    };
    const text = toText({
      settings: { revision: 1, disabled: [], plugins: { files: { b: 2 } } },
      settings_in_force: inForce,
      settings_applied: { revision: 8, refused: { revision: 9, reason: 'b is too large' } },
    } as unknown as NodeView);
    expect(text).toMatch(/files\.a +1 +site=lab/);
    expect(text).toMatch(/files\.b +2 +the node/);
    expect(text).toMatch(/jobs +disabled +site=lab/);
    expect(text).toContain('Refused by the node: b is too large');
  });
});
