import { describe, expect, it } from '@jest/globals';
import { decodeBase64, decodeJson, encodeBase64, encodeJson, encodeText } from './base64.js';
import { type FunctionLike, toModuleSource } from './function-source.js';

/** Loads a source as the runtime does. */
async function load(source: string): Promise<(...parameters: unknown[]) => unknown> {
  const loaded = (await import(`data:text/javascript;base64,${encodeText(source)}`)) as {
    default: () => unknown;
  };
  return loaded.default;
}

class Box {
  readonly sizeBytes = 1;
}
const holder = {
  method(a: number) {
    return a;
  },
  async asyncMethod(a: number) {
    return a;
  },
  *generator() {
    yield 1;
  },
  ['computed name'](a: number) {
    return a;
  },
};

describe('toModuleSource', () => {
  // biome-ignore format: the ways of writing a function are the point.
  const functions: [string, FunctionLike][] = [
    ['an arrow', (a: number, b: number) => a + b],
    ['an arrow with defaults and a pattern', ({ a }: { a: number } = { a: 0 }, b = 2) => a + b],
    // biome-ignore lint/complexity/useArrowFunction: a function expression is what is tested.
    ['a function expression', function (a: number, b: number) { return a + b; }],
    ['a named function', function add(a: number, b: number) { return a + b; }],
    ['an async arrow', async (a: number, b: number) => a + b],
    // biome-ignore lint/complexity/useArrowFunction: a function expression is what is tested.
    ['an async function', async function (a: number, b: number) { return a + b; }],
  ];

  it.each(functions)('%s becomes a module that runs', async (name, fn) => {
    const parameters = name.includes('pattern') ? [{ a: 2 }, 3] : [2, 3];
    expect(await (await load(toModuleSource(fn)))(...parameters)).toBe(5);
  });

  it('an arrow with one bare parameter runs', async () => {
    const fn = new Function('return ünits => ünits * 2')() as FunctionLike;
    expect((await load(toModuleSource(fn)))(4)).toBe(8);
    const later = new Function('return async x => x * 2')() as FunctionLike;
    expect(await (await load(toModuleSource(later)))(4)).toBe(8);
  });

  it('a function that esbuild named runs without the helper of its module', async () => {
    const fn = new Function(
      'return (a) => { const inner = __name((b) => b * 2, "inner"); return inner(a); }',
    )();
    expect((await load(toModuleSource(fn as FunctionLike)))(4)).toBe(8);
  });

  it.each([
    ['a built-in function', Math.max as FunctionLike],
    ['a bound function', ((a: number) => a).bind(undefined) as FunctionLike],
    ['a class', Box as unknown as FunctionLike],
    ['a method', holder.method as FunctionLike],
    ['an async method', holder.asyncMethod as FunctionLike],
    ['a generator method', holder.generator as FunctionLike],
    ['a computed method', holder['computed name'] as FunctionLike],
  ])('%s is refused with what to do', (_name, fn) => {
    expect(() => toModuleSource(fn)).toThrow(
      /^invalid-function: .*(give a function|wrap it in an arrow function)$/,
    );
  });

  it('source text is sent as it is', () => {
    expect(toModuleSource('export default () => 1')).toBe('export default () => 1');
  });
});

describe('base64', () => {
  it('agrees with Buffer for any bytes, also for more than fit on the stack', () => {
    const bytes = Uint8Array.from({ length: 300_001 }, (_, i) => (i * 31) % 256);
    const text = encodeBase64(bytes);
    expect(text).toBe(Buffer.from(bytes).toString('base64'));
    expect(Buffer.from(decodeBase64(text)).equals(Buffer.from(bytes))).toBe(true);
  });

  it('JSON survives, undefined becomes null', () => {
    for (const value of [1, 'ünï ✓', null, { a: [1, { b: false }] }])
      expect(decodeJson(encodeJson(value))).toEqual(value);
    expect(decodeJson(encodeJson(undefined))).toBeNull();
  });
});
