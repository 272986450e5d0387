import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { candidatesOf, findTopLevelFunctions, isGantryError, pythonFunction } from '@gantry/client';
import type { FunctionUpload } from '@gantry/contracts';
import { messageOf } from '@gantry/kernel';
import { faultOfModule, faultOfPython } from './check-syntax.js';
import { UsageError } from './usage-error.js';

/**
 * The upload for a file: an ES module with a default export (`.js`, `.mjs`), or Python source (`.py`), of which
 * `functionName` says which function is meant when there are several.
 * @throws {UsageError} for other files, for source that cannot be compiled, for a module without a default export, and
 * for Python source without one function
 */
export function readFunctionFile(path: string, functionName: string | undefined): FunctionUpload {
  const name = basename(path);
  switch (extname(path)) {
    case '.py':
      return toUpload('PY', name, pythonCode(path, name, functionName));
    case '.js':
    case '.mjs':
      if (functionName !== undefined)
        throw new UsageError('--function is for Python files; of a module the default export is called');
      return toUpload('JS', name, moduleCode(path));
    default:
      throw new UsageError(`${path}: only .js, .mjs and .py files can be pushed`);
  }
}

function pythonCode(path: string, fileName: string, functionName: string | undefined): Buffer {
  const bytes = read(path);
  let source: string;
  try {
    source = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${path} is not UTF-8`);
  }
  const fault = faultOfPython(source);
  if (fault !== undefined) throw invalidFunction(`${path}: ${fault}`);
  const options = functionName === undefined ? {} : { name: functionName };
  try {
    return Buffer.from(pythonFunction(source, { fileName, ...options }).code, 'base64');
  } catch (error) {
    if (!isGantryError(error, 'invalid-function')) throw error;
    const isChoice = functionName === undefined && candidatesOf(findTopLevelFunctions(source)).length > 1;
    const wayOut = isChoice ? ' with --function NAME' : '';
    throw invalidFunction(`${error.detail}${wayOut}`);
  }
}

/** @throws {UsageError} for what would only fail where it is loaded: a CommonJS module, one that cannot be parsed */
function moduleCode(path: string): Buffer {
  const bytes = read(path);
  const text = bytes.toString('utf8').replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  const isCommonJs = /\bmodule\.exports\b|^\s*exports\.\w+\s*=/m.test(text) && !/\bexport\b/.test(text);
  if (!isCommonJs) {
    const fault = faultOfModule(bytes);
    if (fault !== undefined) throw invalidFunction(`${path}: ${fault}`);
    return bytes;
  }
  const what = `${path} is a CommonJS module (module.exports) and has no default export`;
  const wayOut = 'write "export default (a, b) => …" instead, or bundle it: esbuild --bundle --format=esm';
  throw invalidFunction(`${what}; ${wayOut}`);
}

const invalidFunction = (detail: string): UsageError =>
  Object.assign(new UsageError(detail), { code: 'invalid-function' });

const toUpload = (LANG: FunctionUpload['LANG'], NAME: string, code: Buffer): FunctionUpload => ({
  LANG,
  FC: code.toString('base64'),
  FC_HASH: createHash('sha256').update(code).digest('hex'),
  NAME,
});

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`the file cannot be read: ${messageOf(error)}`);
  }
}
