import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ConfigSchema } from './load-config.js';
import { loadServiceConfig } from './load-service-config.js';

const schema: ConfigSchema<{ port: number; secret: string }> = {
  port: { doc: 'Port', format: 'port', default: 1, arg: 'port' },
  secret: { doc: 'Secret', format: 'optional-text', default: 'hidden', sensitive: true },
};

let folder: string;
let first: string;
let second: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-config-'));
  first = join(folder, 'first.yaml');
  second = join(folder, 'second.yaml');
  writeFileSync(first, 'port: 2\nsecret: first\n');
  writeFileSync(second, 'port: 3\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('loadServiceConfig', () => {
  it('reads every file that the command line names, in its order', () => {
    expect(loadServiceConfig(schema, ['--config', first, `--config=${second}`]).values).toEqual({
      port: 3,
      secret: 'first',
    });
  });

  it('refuses a file that is not there, and a flag that nobody knows', () => {
    expect(() => loadServiceConfig(schema, ['--config', join(folder, 'none'), '--prot=1'])).toThrow(
      /--prot: there is no such flag[\s\S]*none: ENOENT/,
    );
  });

  it('prints the configuration without its secrets, and ends', () => {
    const written: string[] = [];
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    jest.spyOn(process, 'exit').mockImplementation((code) => {
      throw new Error(`exit ${code}`);
    });
    expect(() => loadServiceConfig(schema, ['--print-config', '--port', '7'])).toThrow('exit 0');
    expect(JSON.parse(written.join(''))).toEqual({ port: 7, secret: '[Sensitive]' });
  });
});
