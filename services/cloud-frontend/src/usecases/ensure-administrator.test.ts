import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@gantry/kernel';
import { openStore, type Store } from '@gantry/store';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { argon2Hasher } from '../adapters/argon2/argon2-hasher.js';
import { passwordFile } from '../adapters/files/password-file.js';
import { type EnsureAdministratorDeps, ensureAdministrator } from './ensure-administrator.js';

let parent: string;
let store: Store;
beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'gantry-administrator-'));
  store = await openStore({ url: `file:${parent}/gantry.db`, logger: silentLogger });
});
afterEach(async () => {
  await store.close();
  rmSync(parent, { recursive: true, force: true });
});

const pathIn = (folder: string) => join(parent, folder, 'admin-password');
const depsIn = (folder = 'data'): EnsureAdministratorDeps => ({
  accounts: store.accounts,
  tokens: store.tokens,
  hasher: argon2Hasher,
  file: passwordFile(pathIn(folder)),
  clock: systemClock,
  logger: silentLogger,
  quota: { functions: 1, bytes: 1 },
});
const isPassword = async (password: string): Promise<boolean> => {
  const account = await store.accounts.find('admin');
  return argon2Hasher.verify(account?.passwordHash ?? '', password);
};
const issueToken = () =>
  store.tokens.recordIssued({ revocationId: 'aa', user: 'admin', expiresAtMs: Date.now() + 60_000 });
const revoked = () => store.tokens.listRevoked(Date.now());

describe('on an empty store', () => {
  it('a random password is made, in a file of its own that only its owner reads', async () => {
    const first = await ensureAdministrator(depsIn(), undefined);
    const written = readFileSync(pathIn('data'), 'utf8');
    expect(written).toMatch(/^[A-Za-z0-9_-]{24,}\n$/);
    expect(first).toEqual({ name: 'admin', password: written.trim(), passwordFile: pathIn('data') });
    expect(statSync(pathIn('data')).mode & 0o777).toBe(0o600);
    expect(statSync(join(parent, 'data')).mode & 0o777).toBe(0o700);
    expect(await store.accounts.find('admin')).toMatchObject({ role: 'administrator', org: undefined });
    expect(await isPassword(written.trim())).toBe(true);
  });

  it('a given password is used, shown to nobody and written nowhere', async () => {
    expect(await ensureAdministrator(depsIn(), 'a given password')).toBeUndefined();
    expect(await isPassword('a given password')).toBe(true);
    expect(existsSync(pathIn('data'))).toBe(false);
  });

  it('the password that a crash left without an account is used', async () => {
    mkdirSync(join(parent, 'data'));
    writeFileSync(pathIn('data'), 'left by a crash\n');
    expect(await ensureAdministrator(depsIn(), undefined)).toMatchObject({ password: 'left by a crash' });
    expect(await isPassword('left by a crash')).toBe(true);
  });

  it('a password file without a password stops the start, and says what to do', async () => {
    mkdirSync(join(parent, 'data'));
    writeFileSync(pathIn('data'), '\n');
    await expect(ensureAdministrator(depsIn(), undefined)).rejects.toThrow(/remove the file and start again/);
  });

  it.each([
    ['in one data folder', ['data', 'data', 'data', 'data']],
    ['in folders of their own', ['a', 'b', 'c', 'd']],
  ])(
    'several frontends at once make one account, and leave no password that is not its own: %s',
    async (_where, folders) => {
      const made = await Promise.all(folders.map((folder) => ensureAdministrator(depsIn(folder), undefined)));
      const shown = made.filter((one) => one !== undefined);
      expect(shown).toHaveLength(1);
      expect(await isPassword(shown[0]?.password ?? '')).toBe(true);
      const left = [...new Set(folders)].filter((folder) => existsSync(pathIn(folder)));
      expect(left.map(pathIn)).toEqual([shown[0]?.passwordFile]);
    },
  );

  it('several frontends at once with one given password all go on', async () => {
    const all = [1, 2, 3].map(() => ensureAdministrator(depsIn(), 'a given password'));
    expect(await Promise.all(all)).toEqual([undefined, undefined, undefined]);
    expect(await isPassword('a given password')).toBe(true);
  });
});

describe('on a later start', () => {
  beforeEach(async () => {
    await ensureAdministrator(depsIn(), 'the first password');
    await issueToken();
  });

  it('nothing happens without a given password', async () => {
    expect(await ensureAdministrator(depsIn(), undefined)).toBeUndefined();
    expect(existsSync(pathIn('data'))).toBe(false);
    expect(await isPassword('the first password')).toBe(true);
  });

  it('another given password is set, and the tokens of the old one end', async () => {
    await ensureAdministrator(depsIn(), 'the second password');
    expect(await isPassword('the second password')).toBe(true);
    expect(await revoked()).toEqual(['aa']);
  });

  it('the same given password leaves the tokens alone', async () => {
    await ensureAdministrator(depsIn(), 'the first password');
    expect(await revoked()).toEqual([]);
  });

  it('an account that was deleted for another administrator is not made again', async () => {
    const admin = await store.accounts.find('admin');
    if (admin === undefined) throw new Error('there is no admin');
    await store.accounts.create({ ...admin, name: 'root' });
    await store.accounts.remove('admin');
    for (const given of [undefined, 'the second password']) await ensureAdministrator(depsIn(), given);
    expect(await store.accounts.find('admin')).toBeUndefined();
  });
});
