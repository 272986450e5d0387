import { describe, expect, it } from '@jest/globals';
import { agentPlugins } from '../plugins.js';
import { checkDocument, emptyDocument, resolveSettings } from './plugin-settings.js';

const document = (plugins: Record<string, Record<string, unknown>>, disabled: string[] = []) => ({
  ...emptyDocument,
  plugins,
  disabled,
});

describe('settings of the machine and of the bridge', () => {
  it('are overlaid key by key, the bridge last, by any name of the plugin', () => {
    const local = { sysinfo: { intervalSeconds: 5, historySeconds: 60 } };
    const resolved = resolveSettings(agentPlugins, local, document({ sysinfo: { intervalSeconds: 30 } }));
    expect(resolved.get('sysinfo')).toMatchObject({
      isDisabled: false,
      config: { intervalSeconds: 30, historySeconds: 60 },
    });
    const staged = resolveSettings(agentPlugins, {}, document({ staging: { ownFolder: false } }));
    expect(staged.get('files')?.config).toMatchObject({ ownFolder: false });
  });

  it('of a plugin that the machine locks are not changed by the bridge', () => {
    const local = { files: { locked: true, ownFolder: false } };
    const opening = document({ files: { roots: [{ name: 'all', path: '/' }] } });
    expect(() => resolveSettings(agentPlugins, local, opening)).toThrow(/locked by the file of the machine/);
    expect(checkDocument(agentPlugins, local, document({ staging: { ownFolder: true } }))).toMatchObject({
      errors: [{ pointer: '/plugins/files' }],
    });
    const other = resolveSettings(agentPlugins, local, document({ sysinfo: { intervalSeconds: 30 } }));
    expect(other.get('files')?.config).toMatchObject({ ownFolder: false, roots: [] });
  });

  it('cannot turn on what the machine keeps off', () => {
    const local = { jobs: { enabled: false } };
    const resolved = resolveSettings(agentPlugins, local, document({ jobs: {} }));
    expect(resolved.get('jobs')?.isDisabled).toBe(true);
    expect(resolved.get('sysinfo')?.isDisabled).toBe(false);
  });
});
