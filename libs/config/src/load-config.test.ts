import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigError, type ConfigSchema, type ConfigSources, loadConfig } from './load-config.js';

interface Settings {
  readonly name: string;
  readonly port: number;
  readonly isCluster: boolean;
  readonly flavours: readonly string[];
  readonly store: { readonly url: string };
  readonly passwordFile: string;
}

const schema: ConfigSchema<Settings> = {
  name: { doc: 'Name', format: 'optional-text', default: 'edge', env: 'T_NAME', arg: 'name' },
  port: { doc: 'Port', format: 'port', default: 1338, env: 'T_PORT', arg: 'port' },
  isCluster: { doc: 'Cluster', format: Boolean, default: false, env: 'T_IS_CLUSTER', arg: 'is-cluster' },
  flavours: { doc: 'Flavours', format: 'name-list', default: ['Nature'], env: 'T_FLAVOURS', arg: 'flavour' },
  store: {
    url: {
      doc: 'Store',
      format: 'store-url',
      default: '',
      env: 'T_STORE_URL',
      arg: 'store-url',
      sensitive: true,
    },
  },
  passwordFile: { doc: 'Password', format: 'optional-text', default: '', env: 'T_PASSWORD_FILE' },
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const load = (sources: ConfigSources = {}): Settings =>
  loadConfig(schema, { argv: [], env: {}, ...sources }).values;
const problemsOf = (sources: ConfigSources): readonly string[] => {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe('the order of sources', () => {
  it('takes a flag before the environment, that before a file, that before the default', () => {
    const files = [file('order.yaml', 'port: 1\nname: file\nstore: { url: "file:a" }\n')];
    const env = { T_PORT: '2', T_NAME: 'env' };
    expect(load({ files, env, argv: ['--port', '3'] })).toMatchObject({
      port: 3,
      name: 'env',
      store: { url: 'file:a' },
      flavours: ['Nature'],
    });
  });

  it('lets a later file win over an earlier one, key by key', () => {
    const files = [file('first.yaml', 'port: 1\nname: first\n'), file('second.yaml', 'port: 2\n')];
    expect(load({ files })).toMatchObject({ port: 2, name: 'first' });
  });

  it('takes an empty file and an empty variable for nothing', () => {
    expect(load({ files: [file('empty.yaml', '')], env: { T_PORT: '', T_NAME: '' } })).toMatchObject({
      port: 1338,
      name: 'edge',
    });
  });
});

describe('flags', () => {
  it('understands both spellings of a value, and keeps the zeros of a text', () => {
    expect(load({ argv: ['--name=007', '--port', '0'] })).toMatchObject({ name: '007', port: 0 });
  });

  it.each([
    [['--is-cluster'], true],
    [['--is-cluster', 'false'], false],
    [['--is-cluster=yes'], true],
    [['--no-is-cluster'], false],
  ])('reads the switch %j as %j', (argv, expected) => {
    expect(load({ argv, env: { T_IS_CLUSTER: String(!expected) } }).isCluster).toBe(expected);
  });

  it('collects a list from commas and from repeated flags', () => {
    expect(load({ argv: ['--flavour', 'A, B', '--flavour', 'C'] }).flavours).toEqual(['A', 'B', 'C']);
  });

  it('refuses unknown flags only when they can belong to nobody else', () => {
    expect(load({ argv: ['up', '--prot', '1'] }).port).toBe(1338);
    expect(problemsOf({ argv: ['--prot=1', '--port'], isStrict: true })).toEqual([
      '--prot: there is no such flag',
      '--port: needs a value',
    ]);
  });
});

describe('secrets in files', () => {
  it('reads X from the file that X_FILE names, without the white space around it', () => {
    const T_STORE_URL_FILE = file('url', ' postgres://u:secret@host/db\r\n');
    expect(load({ env: { T_STORE_URL_FILE } }).store.url).toBe('postgres://u:secret@host/db');
  });

  it('takes the path itself where the schema names X_FILE', () => {
    expect(load({ env: { T_PASSWORD_FILE: '/run/secret' } }).passwordFile).toBe('/run/secret');
  });

  it('refuses a missing or empty file, and X together with X_FILE', () => {
    expect(problemsOf({ env: { T_STORE_URL_FILE: join(folder, 'nowhere') } })[0]).toMatch(
      /^T_STORE_URL_FILE: ENOENT/,
    );
    expect(problemsOf({ env: { T_NAME_FILE: file('nothing', '\n') } })[0]).toMatch(
      /^T_NAME_FILE: .*is empty$/,
    );
    expect(problemsOf({ env: { T_NAME: 'a', T_NAME_FILE: file('name', 'b') } })).toEqual([
      'T_NAME: T_NAME_FILE is set as well; keep one of them',
    ]);
  });

  it('shows no sensitive value, neither when printed nor in a problem', () => {
    const env = { T_STORE_URL: 'postgres://u:secret@host/db', T_NAME: 'seen' };
    const { redacted } = loadConfig(schema, { argv: [], env });
    expect(redacted).not.toContain('secret');
    expect(JSON.parse(redacted)).toMatchObject({ name: 'seen', store: { url: '[Sensitive]' } });
    expect(problemsOf({ env: { T_STORE_URL: 'mysql://u:secret@host' } }).join()).not.toContain('secret');
  });

  it('quotes nothing of a file that is no YAML', () => {
    const problems = problemsOf({ files: [file('broken.yaml', 'store:\n  url: "secret\nport: 1')] });
    expect(problems).toHaveLength(1);
    expect(problems[0]).not.toContain('secret');
  });
});

describe('problems', () => {
  it('names all of them at once, with what to change', () => {
    const problems = problemsOf({
      argv: ['--flavour', 'a.b'],
      env: { T_PORT: '70000', T_IS_CLUSTER: 'perhaps', T_STORE_URL: 'mysql:x' },
      files: [file('bad.yaml', 'colour: red\n'), join(folder, 'missing.yaml')],
    });
    expect(problems).toHaveLength(6);
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/missing\.yaml: ENOENT/),
        expect.stringMatching(/^port: .*65535.*\(--port, T_PORT\)$/),
        'isCluster: must be true or false (--is-cluster, T_IS_CLUSTER)',
        expect.stringMatching(/^flavours: must be a comma-separated list/),
        expect.stringMatching(/^store\.url: must be "file:PATH"/),
        expect.stringMatching(/'colour' not declared/),
      ]),
    );
  });

  it.each(['13x', '1.5', 'one', '0x10'])('refuses the port %j instead of taking a part of it', (text) => {
    expect(problemsOf({ env: { T_PORT: text } })).toEqual(['port: must be a whole number (--port, T_PORT)']);
  });

  it.each(['- a\n- b\n', 'just words\n', '7\n'])('refuses a file that holds no settings: %j', (text) => {
    expect(problemsOf({ files: [file('shape.yaml', text)] })[0]).toMatch(/must hold settings by name$/);
  });

  it('says all of it in the message', () => {
    expect(() => load({ env: { T_PORT: 'x', T_IS_CLUSTER: 'x' } })).toThrow(
      /^the configuration is not valid:\n {2}- port: .*\n {2}- isCluster: /,
    );
  });
});
