import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ConfigSchema, loadConfig } from '@gantry/config';
import { describe, expect, it } from '@jest/globals';
import { schemas } from './config.js';

interface ConfigFile {
  readonly name: string;
  readonly text: string;
  readonly schema: ConfigSchema<unknown>;
}

const root = new URL('../../../../', import.meta.url);
const { configFiles } = (await import(new URL('scripts/config-files.mjs', root).href)) as {
  configFiles: (schemas: unknown) => ConfigFile[];
};
const pathOf = (name: string) => fileURLToPath(new URL(`config/${name}`, root));

/** The environment names of all settings. */
const variablesOf = (node: unknown): string[] => {
  if (typeof node !== 'object' || node === null) return [];
  const { env } = node as { env?: unknown };
  return typeof env === 'string' ? [env] : Object.values(node).flatMap(variablesOf);
};

const files = configFiles(schemas);

describe('config/*.yaml', () => {
  it('there is a file for the configuration of every process', () => {
    expect(new Set(files.map(({ schema }) => schema))).toEqual(new Set(Object.values(schemas)));
  });

  it.each(files)('$name is what scripts/config-files.mjs makes of the schema', ({ name, text }) => {
    expect(readFileSync(pathOf(name), 'utf8')).toBe(text);
  });

  it.each(files)('$name is accepted strictly and changes no default', ({ name, schema }) => {
    const read = (paths: string[]) => loadConfig(schema, { argv: [], env: {}, files: paths, isStrict: true });
    expect(read([pathOf(name)]).values).toEqual(read([]).values);
  });

  it.each(files)('$name names every setting', ({ name, schema }) => {
    const written = readFileSync(pathOf(name), 'utf8');
    const variables = variablesOf(schema);
    expect(variables.length).toBeGreaterThan(10);
    expect(variables.filter((variable) => !new RegExp(`^ *# +${variable}(,|$)`, 'm').test(written))).toEqual(
      [],
    );
  });
});
