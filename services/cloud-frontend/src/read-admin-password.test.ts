import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readAdminPassword } from './read-admin-password.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-password-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (text: string): string => {
  const path = join(folder, 'password');
  writeFileSync(path, text);
  return path;
};

describe('readAdminPassword', () => {
  it('takes the content without the white space around it, and nothing from no file', () => {
    expect(readAdminPassword(file(' correct horse battery\r\n'))).toBe('correct horse battery');
    expect(readAdminPassword('')).toBeUndefined();
  });

  it.each<[string, () => string, RegExp]>([
    ['too short', () => file('eleven char'), /at least 12 characters/],
    ['empty', () => file('\n'), /at least 12 characters/],
    ['too long', () => file('x'.repeat(257)), /256/],
    ['missing', () => join(folder, 'nowhere'), /cannot be read.*ENOENT/],
    ['a folder', () => folder, /cannot be read.*EISDIR/],
  ])('refuses a file that is %s, and names the setting but not the password', (_what, path, rule) => {
    const read = () => readAdminPassword(path());
    expect(read).toThrow(rule);
    expect(read).toThrow(/GANTRY_ADMIN_PASSWORD_FILE/);
    expect(read).not.toThrow(/eleven char\b/);
  });
});
