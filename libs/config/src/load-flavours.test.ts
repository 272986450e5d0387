import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigError } from './load-config.js';
import { loadFlavours } from './load-flavours.js';

let flavoursDir: string;
beforeEach(() => {
  flavoursDir = mkdtempSync(join(tmpdir(), 'gantry-flavours-'));
});
afterEach(() => rmSync(flavoursDir, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(flavoursDir, name), text);
function problemsOf(dir = flavoursDir): readonly string[] {
  try {
    loadFlavours({ flavoursDir: dir });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('flavour files', () => {
  it('that come with Gantry are valid, and complete', () => {
    const definitions = loadFlavours({ flavoursDir: '' });
    expect(definitions.map(({ name }) => name)).toEqual(['Nature', 'python-science']);
    expect(definitions[0]).toMatchObject({ languages: ['PY', 'C', 'JS'], packages: [] });
    expect(definitions[1]?.packages.map(({ module }) => module)).toEqual(['numpy', 'scipy', 'PIL']);
  });

  it('are read one each, in the order of their names; other files are left alone', () => {
    write('B.yaml', 'name: B\nslots: 3\n');
    write('A.yml', 'name: A\n');
    write('README.md', 'not one');
    expect(loadFlavours({ flavoursDir }).map(({ name, slots }) => [name, slots])).toEqual([
      ['A', 1],
      ['B', 3],
    ]);
  });

  it('that are wrong are all named at once: file, field and rule', () => {
    write('A.yaml', 'name: A\nslots: 0\ncolour: red\nlimits: { memoryMiB: "much" }\n');
    write('B.yaml', 'name: C\n');
    write('D.yaml', 'name: [secret\n');
    write('E.yaml', '- a list\n');
    write('F.yaml', '');
    const problems = problemsOf();
    expect(problems).toHaveLength(7);
    expect(problems).toEqual([
      expect.stringMatching(/A\.yaml: limits\.memoryMiB: /),
      expect.stringMatching(/A\.yaml: slots: /),
      expect.stringMatching(/A\.yaml: .*colour/),
      expect.stringMatching(/B\.yaml: name: must be "B", as the file is called$/),
      expect.stringMatching(/D\.yaml: /),
      expect.stringMatching(/E\.yaml: /),
      expect.stringMatching(/F\.yaml: /),
    ]);
    expect(problems.join()).not.toContain('secret');
  });

  it('in a folder that was named and is not there are a problem', () => {
    expect(problemsOf(join(flavoursDir, 'nowhere'))).toEqual([
      expect.stringMatching(/^GANTRY_FLAVOURS_DIR: ENOENT/),
    ]);
  });
});
