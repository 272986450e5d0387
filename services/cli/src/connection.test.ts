import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  connect,
  credentialsOf,
  keepPassword,
  lockFileName,
  NotRunningError,
  platformFileName,
} from './connection.js';
import { lockDataDir } from './embedded/instance-lock.js';

const urls = {
  cloudUrl: 'http://127.0.0.1:41001',
  edgeUrl: 'http://127.0.0.1:41002',
  bridgeUrl: 'http://127.0.0.1:41003',
};
const release: Array<() => void> = [];
afterEach(() => {
  for (const give of release.splice(0)) give();
});

/** A data folder with a password, and the record of a platform when there is one. */
function folder(record?: 'running' | 'crashed'): string {
  const dataDir = join(mkdtempSync(join(tmpdir(), 'gantry-connection-')), 'data');
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'admin-password'), 'secret of the folder\n');
  if (record !== undefined) writeFileSync(join(dataDir, platformFileName), JSON.stringify(urls));
  if (record === 'running') release.push(lockDataDir(dataDir));
  if (record === 'crashed')
    writeFileSync(join(dataDir, lockFileName), JSON.stringify({ pid: process.pid, startTicks: '1' }));
  return dataDir;
}

describe('the credentials of a data folder', () => {
  it('go to the addresses that its running platform recorded', () => {
    const { client, edge, bridge } = connect({ dataDir: folder('running') });
    expect([client.cloudUrl, edge.url, bridge.url]).toEqual(Object.values(urls));
  });

  it.each([[undefined], ['crashed' as const]])(
    'go nowhere when its platform is not running: %s',
    (record) => {
      const dataDir = folder(record);
      const start = `the platform of ${dataDir} is not running; start it with "GANTRY_DATA_DIR=${dataDir} npm start"`;
      expect(() => connect({ dataDir })).toThrow(start);
      expect(() => connect({ dataDir })).toThrow(NotRunningError);
      // The same file by its name, and another for a folder that was named.
      for (const passwordFile of [join(dataDir, 'admin-password'), join(folder(), 'admin-password')])
        expect(() => connect({ dataDir, passwordFile })).toThrow(NotRunningError);
    },
  );

  it('go to an address that is named, and its token to no other', () => {
    const dataDir = folder();
    const named = connect({ dataDir, cloudUrl: 'http://cloud.test' });
    expect(named.client.cloudUrl).toBe('http://cloud.test');
    expect(() => named.edge).toThrow(/--edge-url/);
    expect(() => named.bridge).toThrow(/--bridge-url/);
    const all = connect({
      dataDir,
      cloudUrl: 'http://cloud.test',
      edgeUrl: 'http://edge.test',
      bridgeUrl: 'http://b.test',
    });
    expect([all.edge.url, all.bridge.url]).toEqual(['http://edge.test', 'http://b.test']);
    expect(() => connect({ dataDir, edgeUrl: 'http://edge.test' })).toThrow(/--cloud-url/);
  });
});

it('a changed password is kept for the platform of the folder, and no other', () => {
  const dataDir = folder('running');
  const passwordAfter = (cloudUrl: string, name: string) => {
    keepPassword({ dataDir }, { cloudUrl, name, password: `of ${name} at ${cloudUrl}` });
    return credentialsOf({ dataDir }).password;
  };
  expect(passwordAfter('http://cloud.test', 'admin')).toBe('secret of the folder');
  expect(passwordAfter(urls.cloudUrl, 'alice')).toBe('secret of the folder');
  expect(passwordAfter(urls.cloudUrl, 'admin')).toBe(`of admin at ${urls.cloudUrl}`);
});

it('a password file that was named by itself is for the default ports of this machine', () => {
  const passwordFile = join(folder(), 'admin-password');
  const { client, edge, bridge } = connect({ passwordFile });
  expect([client.cloudUrl, edge.url, bridge.url]).toEqual([
    'http://127.0.0.1:1338',
    'http://127.0.0.1:1339',
    'http://127.0.0.1:1341',
  ]);
});

it('a password file that cannot be read is wrong use, and the folder that was given is named', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'gantry-connection-'));
  expect(() => credentialsOf({ dataDir })).toThrow(
    expect.objectContaining({
      status: 422,
      message: expect.stringMatching(new RegExp(`cannot be read: .*--data-dir \\(now ${dataDir}\\)`)),
    }),
  );
});
