import { flavourDefinitionSchema, isolationChoices } from '@gantry/contracts/execution';
import { describe, expect, it } from '@jest/globals';
import { defaultRuntimeOptions, keptBytesOf, type RuntimeOptions } from './runtime-options.js';
import { grantLimits, moduleHintsOf, residentMiBOf, serveFlavour } from './served-flavour.js';

const options: RuntimeOptions = { ...defaultRuntimeOptions, runtimeId: 'r', flavours: ['A'] };
const define = (changes: object = {}) => flavourDefinitionSchema.parse({ name: 'A', ...changes });

describe('a flavour on a machine', () => {
  it('is served as its definition says when the machine adds nothing', () => {
    expect(serveFlavour(define({ slots: 3, priority: 4 }), options)).toEqual({
      name: 'A',
      languages: ['PY', 'C', 'JS'],
      slots: 3,
      isolation: 'auto',
      limits: define().limits,
      niceness: 6,
    });
  });

  it('is lowered by the machine, never raised', () => {
    const machine = {
      ...options,
      slots: 2,
      memoryMiB: 128,
      scratchMiB: 4096,
      resultBytes: 1000,
      logBytes: 0,
    };
    expect(serveFlavour(define({ slots: 5 }), machine)).toMatchObject({
      slots: 2,
      limits: { memoryMiB: 128, scratchMiB: 64, resultBytes: 1000, logBytes: 65_536 },
    });
  });

  it('has the stricter of the two levels; auto gives way to any', () => {
    for (const [index, choice] of isolationChoices.entries())
      for (const [other, machine] of isolationChoices.entries())
        expect(
          serveFlavour(define({ isolation: choice }), { ...options, isolation: machine }).isolation,
        ).toBe(isolationChoices[Math.max(index, other)]);
  });
});

describe('limits of a call', () => {
  const flavour = serveFlavour(define({ limits: { executionSeconds: 10 } }), options);

  it('are those of the flavour unless it asks for less', () => {
    expect(grantLimits(flavour, undefined, 60_000)).toEqual({
      shape: { memoryMiB: 256, scratchMiB: 64 },
      resultBytes: 32 * 1024 * 1024,
      logBytes: 65_536,
      runMs: 10_000,
    });
    expect(grantLimits(flavour, { memoryMiB: 64, resultBytes: 10 }, 500)).toMatchObject({
      shape: { memoryMiB: 64, scratchMiB: 64 },
      resultBytes: 10,
      runMs: 500,
    });
  });

  it('cannot be raised, and not lowered below what a program needs to start', () => {
    const asked = { memoryMiB: 1e9, scratchMiB: 1e9, resultBytes: 1e12, logBytes: 1e12 };
    expect(grantLimits(flavour, asked, 1)).toEqual(grantLimits(flavour, undefined, 1));
    expect(grantLimits(flavour, { memoryMiB: -5, scratchMiB: 0, logBytes: -1 }, 1)).toMatchObject({
      shape: { memoryMiB: 16, scratchMiB: 1 },
      logBytes: 0,
    });
  });

  it('resident memory leaves room beside the heap, within what the machine says', () => {
    expect(residentMiBOf({ memoryMiB: 256, scratchMiB: 1 }, 0)).toBe(768);
    expect(residentMiBOf({ memoryMiB: 256, scratchMiB: 1 }, 500)).toBe(500);
  });

  it('memory of idle processes is shared by the flavours', () => {
    expect(keptBytesOf({ ...options, keptMemoryMiB: 100, flavours: ['A', 'B'] })).toBe(50 * 1024 * 1024);
    expect(keptBytesOf(options)).toBeGreaterThan(0);
  });
});

it('modules are named with all flavours that have them, whatever they are called', () => {
  const packages = (...modules: string[]) =>
    modules.map((module) => ({ name: module, module, language: 'PY' }));
  const definitions = [
    flavourDefinitionSchema.parse({ name: 'A', packages: packages('numpy', 'constructor') }),
    flavourDefinitionSchema.parse({ name: 'B', packages: packages('numpy', 'numpy') }),
    flavourDefinitionSchema.parse({
      name: 'C',
      packages: [{ name: 'OpenCV', module: 'cv2', language: 'PY', debian: 'python3-opencv' }],
    }),
  ];
  expect(moduleHintsOf(definitions, 'none')).toEqual({
    numpy: { flavours: ['A', 'B'] },
    constructor: { flavours: ['A'] },
    cv2: { flavours: ['C'] },
  });
  expect(moduleHintsOf(definitions, 'B')['numpy']).toEqual({ flavours: ['A', 'B'], own: { flavour: 'B' } });
  expect(moduleHintsOf(definitions, 'C')['cv2']).toEqual({
    flavours: ['C'],
    own: { flavour: 'C', debian: 'python3-opencv' },
  });
});
