import { describe, expect, it } from '@jest/globals';
import { LanguageFinder } from './language-finder.js';
import { jsRuntime } from './languages/js/js-runtime.js';
import { defaultLanguageSettings, type LanguageRuntime } from './languages/language.js';

/** A machine whose packages a test installs. */
function setUp() {
  const installed = new Set<string>();
  let looks = 0;
  const python: LanguageRuntime = {
    ...jsRuntime,
    name: 'python',
    languages: ['PY', 'C'],
    missing: async (language) => {
      looks += 1;
      return installed.has(language) ? undefined : `nothing for ${language}`;
    },
  };
  const finder = new LanguageFinder([jsRuntime, python], defaultLanguageSettings);
  return { finder, installed, python, looks: () => looks };
}

describe('the languages of a machine', () => {
  it('are there or say what is missing; a program counts once one of its languages is there', async () => {
    const { finder, installed, python } = setUp();
    installed.add('PY');
    expect(await finder.look()).toBe(true);
    expect(finder.stateOf('JS')).toBe('available');
    expect(finder.stateOf('PY')).toBe('available');
    expect(finder.stateOf('C')).toEqual({ missing: 'nothing for C' });
    expect(finder.available()).toEqual([jsRuntime, python]);
  });

  it('that were missing are looked for again, the others are not', async () => {
    const { finder, installed, looks } = setUp();
    await finder.look();
    expect(finder.available()).toEqual([jsRuntime]);
    expect(await finder.look()).toBe(false);
    installed.add('PY');
    expect(await finder.look()).toBe(true);
    expect(finder.stateOf('PY')).toBe('available');
    expect(looks()).toBe(6);
    await finder.look();
    expect(looks()).toBe(7);
  });

  it('whose interpreter cannot be started where functions run are missing, until it can', async () => {
    const { installed, python } = setUp();
    installed.add('PY').add('C');
    let reason: string | undefined = 'not readable';
    let tries = 0;
    const trial = () => ({ file: '/opt/python3', args: [], explain: (why: string) => `mend it: ${why}` });
    const finder = new LanguageFinder([{ ...python, trial }], defaultLanguageSettings, async ({ file }) => {
      tries += 1;
      return reason && `${file} is ${reason}`;
    });
    await finder.look();
    expect(finder.stateOf('PY')).toEqual({ missing: 'mend it: /opt/python3 is not readable' });
    expect([finder.available(), tries]).toEqual([[], 1]);
    reason = undefined;
    expect(await finder.look()).toBe(true);
    expect(finder.stateOf('C')).toBe('available');
  });

  it('that no program is for are missing', () => {
    expect(new LanguageFinder([], defaultLanguageSettings).stateOf('PY')).toEqual({
      missing: 'this release has no program for it',
    });
  });
});
