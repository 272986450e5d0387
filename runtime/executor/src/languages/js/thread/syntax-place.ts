import { Buffer } from 'node:buffer';
import { Script } from 'node:vm';
import { functionFileName } from './module-loader.js';

// The global object is shared with the function: what is needed of it is taken while this file is loaded.
const { get: getProperty } = Reflect;

/** What a script may not have, at the start of a line or behind a semicolon. */
const exportOfDefault = /(^|;)([ \t]*)export[ \t]+default\b/gm;
const exportOfName = /(^|;)([ \t]*)export(?=[ \t]+(?:const|let|var|function|class|async)\b)/gm;
const importOfModule = /(^|;)[ \t]*import\b[^;'"`()]{0,2000}(['"])[^'"\n]{0,200}\2/gm;

/**
 * The line of a module that does not compile, as `function.js:3`. Node tells of it for scripts only, so the module is
 * compiled again as one, without its imports and exports, and not run. Undefined unless that fails with the same
 * message: then the place is another one.
 */
export function findSyntaxPlace(code: Uint8Array, message: string): string | undefined {
  const source = Buffer.from(code.buffer, code.byteOffset, code.byteLength)
    .toString('utf8')
    .replace(importOfModule, (found) => found.replace(/[^\n;]/g, ' '))
    .replace(exportOfDefault, '$1$2_=')
    .replace(exportOfName, '$1$2');
  try {
    // A file of modules is strict.
    new Script(`"use strict";${source}`, { filename: functionFileName });
  } catch (error) {
    const stack = getProperty(error as object, 'stack') as unknown;
    if (typeof stack !== 'string' || getProperty(error as object, 'message') !== message) return undefined;
    return /^function\.js:\d+(?=\n)/.exec(stack)?.[0];
  }
  return undefined;
}
