import type { RuntimeStatus } from '@gantry/broker';
import { buildDefaultFlavour, type Language } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import { RuntimeDirectory } from './runtime-directory.js';

const definitions = [buildDefaultFlavour('A')];

function setUp(maxRuntimes = 10) {
  const clock = { nowMs: 0, now: () => clock.nowMs, monotonicMs: () => clock.nowMs };
  return { clock, directory: new RuntimeDirectory({ definitions, clock, silentMs: 15_000, maxRuntimes }) };
}

const status = (runtimeId: string, missing: Language[] = [], reason = 'nothing there'): RuntimeStatus => ({
  runtimeId,
  flavours: [
    {
      ...{ name: 'A', isolation: 'process', slots: 2, running: 1 },
      languages: (['PY', 'C', 'JS'] as const).map((language) =>
        missing.includes(language) ? { language, available: false, reason } : { language, available: true },
      ),
    },
  ],
});
const refuses = (directory: RuntimeDirectory, language: Language): boolean => {
  try {
    directory.requireLanguage('A', language);
    return false;
  } catch {
    return true;
  }
};

describe('the directory of runtimes', () => {
  it('refuses nothing of which it knows nothing', () => {
    const { directory } = setUp();
    expect(refuses(directory, 'PY')).toBe(false);
    expect(directory.stateOf('A')).toMatchObject({ runtimes: 0, slots: 0, running: 0, isolation: [] });
  });

  it('refuses a language when all known runtimes lack it, with every reason once', () => {
    const { directory } = setUp();
    for (const [id, why] of [
      ['r1', 'no python'],
      ['r2', 'no cloudpickle'],
      ['r3', 'no python'],
    ] as const)
      directory.receive(status(id, ['PY'], why));
    expect(() => directory.requireLanguage('A', 'PY')).toThrow(/: no python; no cloudpickle$/);
    expect(refuses(directory, 'JS')).toBe(false);
    directory.receive(status('r2'));
    expect(refuses(directory, 'PY')).toBe(false);
  });

  it('adds up what runtimes say', () => {
    const { directory } = setUp();
    directory.receive(status('r1'));
    directory.receive(status('r2'));
    expect(directory.stateOf('A')).toMatchObject({
      ...{ runtimes: 2, slots: 4, running: 2, isolation: ['process'] },
    });
  });

  it('forgets who is silent for 15 seconds, or says that it goes', () => {
    const { clock, directory } = setUp();
    directory.receive(status('r1', ['PY']));
    clock.nowMs = 10_000;
    directory.receive(status('r2'));
    clock.nowMs = 14_999;
    directory.sweep();
    expect(directory.stateOf('A').runtimes).toBe(2);
    clock.nowMs = 15_000;
    directory.sweep();
    expect(directory.stateOf('A').runtimes).toBe(1);
    directory.receive({ runtimeId: 'r2', flavours: [] });
    expect(directory.stateOf('A').runtimes).toBe(0);
    expect(refuses(directory, 'PY')).toBe(false);
  });

  it('keeps a bounded number: the one that was silent longest goes', () => {
    const { directory } = setUp(2);
    directory.receive(status('r1', ['PY']));
    directory.receive(status('r2', ['PY']));
    directory.receive(status('r1', ['PY']));
    directory.receive(status('r3', ['PY']));
    expect(directory.stateOf('A').runtimes).toBe(2);
    directory.receive({ runtimeId: 'r1', flavours: [] });
    expect(directory.stateOf('A').runtimes).toBe(1);
  });
});
