import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadLocalSettings } from './local-settings.js';

describe('settings of plugins on the machine itself', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-settings-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const load = (yaml: string) => {
    writeFileSync(join(folder, 'plugins.yaml'), yaml);
    return loadLocalSettings(join(folder, 'plugins.yaml'));
  };

  it('are read by plugin name', () => {
    const yaml =
      'files:\n  roots:\n    - { name: home, path: "~", writable: true }\nsysinfo: { intervalSeconds: 5 }\n';
    expect(load(yaml)).toEqual({
      files: { roots: [{ name: 'home', path: '~', writable: true }] },
      sysinfo: { intervalSeconds: 5 },
    });
  });

  it('may be none', () => {
    expect(loadLocalSettings('')).toEqual({});
    expect(load('')).toEqual({});
  });

  it.each(['files: 7', '- files', 'Files: {}', 'files: {', 'files: { a: 1', 'files: { locked: 1 }'])(
    'stop the start when they are %s',
    (yaml) => {
      expect(() => load(yaml)).toThrow(/GANTRY_AGENT_PLUGINS_FILE/);
    },
  );

  it('must be there when they are named', () => {
    expect(() => loadLocalSettings(join(folder, 'none.yaml'))).toThrow(/none\.yaml/);
  });
});
