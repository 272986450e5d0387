import { variablesOf } from '@gantry/config';
import { runtimeSchema } from '@gantry/executor';
import { expect, it } from '@jest/globals';
import { embeddedSchema } from './config.js';
import { startWarnings } from './start-warnings.js';

const warn = (flavours: string[], variables: string[] = []) =>
  startWarnings(
    { edge: { flavours }, flavoursDir: '' } as unknown as Parameters<typeof startWarnings>[0],
    [{ name: 'Nature' }, { name: 'python-science' }],
    variables,
  );

it('a flavour without a file is named, with the one that was probably meant', () => {
  expect(warn(['Nature', 'Natur', 'GPU'])).toEqual([
    expect.stringMatching(/"Natur" has no file.*did you mean Nature\?$/),
    expect.stringMatching(/"GPU" has no file in config\/flavours and gets the built-in defaults$/),
  ]);
});

it('a variable that is like a setting is named, those of other programs are not', () => {
  expect(warn(['Nature'], ['GANTRY_FLAVOUR', 'GANTRY_MINE', 'GANTRY_EDGE_URL', 'GANTRY_AGENT_NAME'])).toEqual(
    ['the variable GANTRY_FLAVOUR is ignored; did you mean GANTRY_FLAVOURS?'],
  );
});

it('no setting is taken for a mistake, given as itself or as a file', () => {
  const names = [...variablesOf(embeddedSchema), ...variablesOf(runtimeSchema)];
  expect(names.length).toBeGreaterThan(60);
  expect(warn([], [...names, ...names.map((name) => `${name}_FILE`)])).toEqual([]);
});
