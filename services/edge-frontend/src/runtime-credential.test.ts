import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  keepRuntimeCredential,
  readRuntimeCredential,
  runtimeCredentialFileOf,
} from './runtime-credential.js';

const folder = () => mkdtempSync(join(tmpdir(), 'gantry-credential-'));

describe('the credential of a data folder', () => {
  it('is made once, for its owner only, and kept', () => {
    const dataDir = join(folder(), 'data');
    const credential = keepRuntimeCredential(dataDir);
    expect(credential).toMatch(/^[\w-]{43}$/);
    expect(keepRuntimeCredential(dataDir)).toBe(credential);
    expect(statSync(runtimeCredentialFileOf(dataDir)).mode & 0o777).toBe(0o600);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(readdirSync(dataDir)).toEqual(['runtime-credential']);
    expect(keepRuntimeCredential(join(folder(), 'other'))).not.toBe(credential);
  });

  it('is made anew when a crash left it empty, and closed to others when it was open', () => {
    const dataDir = folder();
    const path = runtimeCredentialFileOf(dataDir);
    writeFileSync(path, '');
    expect(keepRuntimeCredential(dataDir)).toBe(readFileSync(path, 'utf8').trim());
    writeFileSync(path, 'by hand', { mode: 0o644 });
    expect(keepRuntimeCredential(dataDir)).toBe('by hand');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});

it.each([
  ['missing', undefined, 'cannot read'],
  ['empty', ' \n', 'is empty'],
])('a file that was named and is %s stops the start', (_name, content, reason) => {
  const path = join(folder(), 'credential');
  if (content !== undefined) writeFileSync(path, content);
  expect(() => readRuntimeCredential(path)).toThrow(new RegExp(`GANTRY_RUNTIME_CREDENTIAL_FILE.*${reason}`));
});
