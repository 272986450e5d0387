import { describe, expect, it } from '@jest/globals';
import { buildDefaultFlavour, flavourDefinitionSchema, flavourOf } from './flavours.js';

const problemsOf = (definition: object): string[] =>
  (flavourDefinitionSchema.safeParse({ name: 'A', ...definition }).error?.issues ?? []).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  );

describe('a flavour definition', () => {
  it('needs a name only: everything else has a default', () => {
    expect(buildDefaultFlavour('A')).toEqual({
      name: 'A',
      description: '',
      languages: ['PY', 'C', 'JS'],
      packages: [],
      limits: {
        executionSeconds: 900,
        memoryMiB: 256,
        scratchMiB: 64,
        resultBytes: 33_554_432,
        logBytes: 65_536,
      },
      isolation: 'auto',
      network: { allow: [] },
      slots: 1,
      priority: 10,
    });
  });

  it('fills in the limits that it does not name', () => {
    expect(flavourDefinitionSchema.parse({ name: 'A', limits: { memoryMiB: 1024 } }).limits).toEqual({
      ...buildDefaultFlavour('A').limits,
      memoryMiB: 1024,
    });
  });

  it.each([
    [{ name: 'a.b' }, /^name: must be 1 to 64 letters/],
    [{ languages: [] }, /^languages: /],
    [{ languages: ['JS', 'JS'] }, /^languages: must not name a language twice/],
    [{ languages: ['COBOL'] }, /^languages\.0: /],
    [
      { packages: [{ name: 'x', module: 'no space', language: 'PY' }] },
      /^packages\.0\.module: must be the name/,
    ],
    [{ packages: [{ name: 'x', module: 'x', language: 'PY', debian: 'Not One' }] }, /^packages\.0\.debian: /],
    [
      { packages: [{ name: 'lodash', module: 'lodash', language: 'JS' }] },
      /^packages\.0\.language: must be PY or C: functions in JavaScript import no packages/,
    ],
    [{ limits: { memoryMiB: 8 } }, /^limits\.memoryMiB: /],
    [{ limits: { executionSeconds: 1.5 } }, /^limits\.executionSeconds: must be a whole number/],
    [{ limits: { colour: 1 } }, /^limits: .*colour/],
    [{ isolation: 'none' }, /^isolation: /],
    [{ network: { allow: ['example.org'] } }, /^network\.allow: must be empty: functions have no network/],
    [{ slots: 0 }, /^slots: /],
    [{ priority: 11 }, /^priority: /],
    [{ colour: 'red' }, /colour/],
  ])('refuses %j', (definition, problem) => {
    const problems = problemsOf(definition);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });

  it('is found by its name, or the built-in one is taken', () => {
    const known = flavourDefinitionSchema.parse({ name: 'A', slots: 4 });
    expect(flavourOf([known], 'A')).toBe(known);
    expect(flavourOf([known], 'B')).toEqual(buildDefaultFlavour('B'));
  });
});
