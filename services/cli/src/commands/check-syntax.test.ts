import { describe, expect, it } from '@jest/globals';
import { faultOfModule, faultOfPython } from './check-syntax.js';

describe('a module', () => {
  it.each([
    ['export default (a, b) => a + b;'],
    ['const url = "http://x"; export default async () => await 1;'],
    ['function f() {}\nexport { f as default };'],
    ['await 1;\nexport/* */default class {}'],
    ['import { createHash } from "node:crypto"; export default () => createHash("md5");'],
  ])('is fine: %s', (source) => {
    expect(faultOfModule(Buffer.from(source))).toBeUndefined();
  });

  it.each([
    ['export const a = 1;\nexport default (a => ', /^line 2: SyntaxError: Unexpected end of input$/],
    ['return 1', /^line 1: SyntaxError: /],
    ['export const add = (a, b) => a + b;', /no default export/],
    ['', /no default export/],
  ])('is refused: %j', (source, reason) => {
    expect(faultOfModule(Buffer.from(source))).toMatch(reason);
  });
});

describe('Python', () => {
  it('is compiled and not run', () => {
    // The interpreter of Debian, which the runtimes have.
    const fault = (source: string) => faultOfPython(source, '/usr/bin/python3');
    expect(fault('import nothing_there\ndef f(): return nothing_there.x\n')).toBeUndefined();
    expect(fault('def f(:\n    return 1\n')).toMatch(/^line 1: SyntaxError: /);
    expect(fault('def f():\nreturn 1\n')).toMatch(/^line 2: IndentationError: /);
  });

  it('is taken as it is where there is no Python', () => {
    expect(faultOfPython('def f(:', '/nowhere/python3')).toBeUndefined();
  });
});
