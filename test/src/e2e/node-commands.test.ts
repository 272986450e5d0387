/** What people do with nodes from the command line: files, programs, settings, and a machine that joins. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BridgeClient, type FilesClient, GantryClient } from '@gantry/client';
import type { NodeView } from '@gantry/contracts';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { runGantry } from '../support/command-line.js';
import { gantry, type Platform, startPlatform } from '../support/platform.js';
import { isRunning, root, startNode, until } from '../support/processes.js';

// Each case starts processes, and the machine may be busy.
jest.setTimeout(120_000);

let platform: Platform;
let node: string;
let bridge: BridgeClient;
let files: FilesClient;
const here = mkdtempSync(join(tmpdir(), 'gantry-node-commands-'));
const started: ChildProcess[] = [];

beforeAll(async () => {
  platform = await startPlatform({ GANTRY_LOCAL_AGENT: 'true', GANTRY_RUNTIME_ISOLATION: 'process' });
  const credentials = { name: 'admin', password: platform.adminPassword };
  bridge = new GantryClient({ cloudUrl: platform.cloudUrl, credentials }).bridge(platform.bridgeUrl);
  node = await until('the local node', async () => {
    const [first] = await bridge.nodes.list().toArray(1);
    return first?.state === 'connected' && first.plugins.length > 0 ? first.name : undefined;
  });
  files = bridge.node(node).plugin('files');
});
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL');
  await platform?.stop();
  rmSync(here, { recursive: true, force: true });
});

const run = (...args: readonly string[]) => runGantry(args, platform);
async function json<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, output } = await run('--json', ...args);
  expect([args, code, output]).toEqual([args, 0, output]);
  return JSON.parse(stdout) as T;
}
const local = (name: string, content: Buffer | string = ''): string => {
  writeFileSync(join(here, name), content);
  return join(here, name);
};
const sum = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('gantry files', () => {
  it('copies a file to a node and back, whole, and replaces nothing unasked', async () => {
    const bytes = randomBytes(700_001);
    const from = local('a.bin', bytes);
    const up = await json('files', 'cp', from, `${node}:a.bin`);
    expect(up).toMatchObject({ files: 1, bytes: bytes.length, sha256: sum(bytes) });
    const again = await run('files', 'cp', from, `${node}:a.bin`);
    expect([again.code, again.output]).toEqual([2, expect.stringMatching(/file-exists.*--force.*--resume/)]);
    expect(await json('files', 'stat', '--checksum', `${node}:a.bin`)).toMatchObject({
      type: 'file',
      size: bytes.length,
      sha256: sum(bytes),
    });
    const to = join(here, 'b.bin');
    expect(await json('files', 'cp', `${node}:a.bin`, to)).toMatchObject({ sha256: sum(bytes) });
    expect(readFileSync(to).equals(bytes)).toBe(true);
    expect((await run('files', 'cp', `${node}:a.bin`, to)).code).toBe(2);
    writeFileSync(from, 'less');
    await json('files', 'cp', '--force', from, `${node}:a.bin`);
    await json('files', 'cp', '--force', `${node}:a.bin`, to);
    expect(readFileSync(to, 'utf8')).toBe('less');
    // Nothing hidden is left beside it.
    expect(readdirSync(here).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('goes on with an upload that broke off, and finds out when the rest is of another file', async () => {
    const bytes = randomBytes(900_000);
    const from = local('resumed.bin', bytes);
    const begin = async (path: string, part: Buffer) => {
      const { id } = (await files.post('uploads', { path, size: bytes.length })) as { id: string };
      const headers = { 'upload-offset': '0' };
      await files.request(`uploads/${id}`, { method: 'PATCH', body: part, headers });
    };
    await begin('resumed.bin', bytes.subarray(0, 500_000));
    await json('files', 'cp', '--resume', from, `${node}:resumed.bin`);
    expect((await files.checksum('resumed.bin')).checksum).toBe(sum(bytes));
    // Only what was missing was sent: had it been sent from the beginning, this would not be noticed.
    await begin('mixed.bin', randomBytes(500_000));
    const mixed = await run('files', 'cp', '--resume', from, `${node}:mixed.bin`);
    expect([mixed.code, mixed.output]).toEqual([2, expect.stringContaining('checksum-mismatch')]);
    expect(await files.uploads()).toEqual([]);
    await expect(files.stat('mixed.bin')).rejects.toMatchObject({ code: 'file-not-found' });
    // What is whole is not sent again.
    expect(await json('files', 'cp', '--resume', from, `${node}:resumed.bin`)).toMatchObject({
      files: 0,
      skipped: 1,
    });
  });

  it('goes on with a download that broke off, and finds out when what is there is wrong', async () => {
    const bytes = randomBytes(600_000);
    await json('files', 'cp', local('down.src', bytes), `${node}:down.bin`);
    const { etag } = await json<{ etag: string }>('files', 'stat', `${node}:down.bin`);
    const to = join(here, 'down.bin');
    const tag = createHash('sha256').update(`down.bin\n${etag}`).digest('hex').slice(0, 24);
    const part = local(`.gantry-part-${tag}`, randomBytes(1000));
    const wrong = await run('files', 'cp', '--resume', `${node}:down.bin`, to);
    expect([wrong.code, wrong.output]).toEqual([1, expect.stringContaining('the checksums differ')]);
    expect(readdirSync(here)).not.toContain('down.bin');
    writeFileSync(part, bytes.subarray(0, 400_000));
    await json('files', 'cp', '--resume', `${node}:down.bin`, to);
    expect(readFileSync(to).equals(bytes)).toBe(true);
    expect(readdirSync(here).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('copies a folder with everything in it, both ways, and goes on where it was', async () => {
    const folder = join(here, 'tree');
    mkdirSync(join(folder, 'x/y'), { recursive: true });
    for (let index = 0; index < 9; index += 1)
      writeFileSync(join(folder, 'x', `f${index}`), `content ${index}`);
    writeFileSync(join(folder, 'x/y/run.sh'), 'true', { mode: 0o755 });
    writeFileSync(join(folder, 'empty'), '');
    symlinkSync('empty', join(folder, 'link'));
    const plain = await run('files', 'cp', folder, `${node}:tree`);
    expect([plain.code, plain.output]).toEqual([2, expect.stringContaining('-r copies it')]);
    // Part of it is there, as a copy that broke off leaves it.
    await files.makeFolder('tree/x', { parents: true });
    await json('files', 'cp', join(folder, 'x/f0'), `${node}:tree/x/f0`);
    const up = await json('files', 'cp', '-r', '--resume', folder, `${node}:tree`);
    expect(up).toMatchObject({ to: `${node}:tree`, files: 10, skipped: 1, folders: 1, left_out: ['link'] });
    const back = join(here, 'back');
    expect(await json('files', 'cp', '-r', `${node}:tree`, back)).toMatchObject({ files: 11, folders: 3 });
    expect(readdirSync(back, { recursive: true }).length).toBe(13);
    expect(readFileSync(join(back, 'x/f7'), 'utf8')).toBe('content 7');
    expect(statSync(join(back, 'x/y/run.sh')).mode & 0o111).not.toBe(0);
    // Into a folder that is there, as cp does.
    expect(await json('files', 'cp', '-r', `${node}:tree`, back)).toMatchObject({ to: join(back, 'tree') });
  });

  it('lists, makes, moves and deletes, and leads nowhere else', async () => {
    const [own] = await json<{ path: string; writable: boolean }[]>('files', 'ls', node);
    expect(own).toMatchObject({ writable: true });
    await json('files', 'mkdir', '-p', `${node}:p/q`);
    await json('files', 'cp', local('small', 'x'), `${node}:p/q/`);
    await json('files', 'mv', `${node}:p/q/small`, `${node}:p/large`);
    const listed = await run('files', 'ls', `${node}:p`);
    expect(listed.stdout).toMatch(/0644 +1 .*large/);
    expect(await json('files', 'ls', `${node}:${own?.path}/p`)).toMatchObject([
      { name: 'large' },
      { name: 'q' },
    ]);
    expect((await run('files', 'rm', `${node}:p`)).output).toContain('folder-not-empty');
    expect(await json('files', 'rm', '-r', `${node}:p`)).toMatchObject({ entries: 3 });
    const outside = await run('files', 'cp', `${node}:/etc/passwd`, here);
    expect([outside.code, outside.output]).toEqual([3, expect.stringContaining('path-refused')]);
    const neither = await run('files', 'cp', 'a', 'b');
    expect([neither.code, neither.output]).toEqual([2, expect.stringContaining('must be on a node')]);
  });
});

describe('gantry nodes exec', () => {
  it('runs a program without a shell, and passes on what it writes and how it ends', async () => {
    const script = 'echo "out $1"; echo err >&2; exit 7';
    const done = await run(
      'nodes',
      'exec',
      node,
      '--env',
      'A=b',
      '--',
      'sh',
      '-c',
      script,
      'sh',
      '$HOME; true',
    );
    expect([done.code, done.stdout]).toEqual([7, 'out $HOME; true\n']);
    expect(done.output).toContain('err\n');
    expect(await json('nodes', 'exec', node, '--', 'echo', 'ä')).toMatchObject({
      state: 'COMPLETED',
      exit_code: 0,
      stdout: 'ä\n',
      stderr: '',
    });
    // Nothing of it is left on the node.
    expect(await json('jobs', 'ls', '--node', node)).toEqual([]);
    const nothing = await run('nodes', 'exec', node);
    expect([nothing.code, nothing.output]).toEqual([2, expect.stringContaining('after "--"')]);
  });

  it('ends the program when it takes too long', async () => {
    const { code, output } = await run('nodes', 'exec', node, '--timeout', '1', '--', 'sleep', '600');
    expect([code, output]).toEqual([124, expect.stringContaining('has taken 1 s')]);
  });

  it('shows what is written while it runs, and ends the program with Ctrl-C', async () => {
    const words = ['nodes', 'exec', node, '--', 'sh', '-c', 'echo $$; sleep 600'];
    const exec = startNode(gantry, words, platform.env);
    const pid = await until('the first line', () => Number(/^\d+\n/.exec(exec.stdout())?.[0]) || undefined);
    expect(isRunning(pid)).toBe(true);
    exec.child.kill('SIGINT');
    expect(await exec.ended).toBe(130);
    await until('the program to end', () => !isRunning(pid));
  });
});

describe('gantry nodes share', () => {
  it('refuses rights for what the node does not have, and says that an account is missing', async () => {
    const wrong = await run('nodes', 'share', node, 'ada', 'job:submit');
    expect([wrong.code, wrong.output]).toEqual([2, expect.stringMatching(/no plugin for job:submit.*jobs/)]);
    const { code, output } = await run('nodes', 'share', node, 'nobody-yet', 'sysinfo:*');
    expect([code, output]).toEqual([0, expect.stringContaining('no account nobody-yet')]);
    await json('nodes', 'share', node, 'nobody-yet');
  });
});

describe('a machine that joins', () => {
  const dataDir = join(here, 'agent');
  const status = () => run('--json', 'agent', 'status', '--data-dir', dataDir);

  it('does so by the command that the enrolment prints, as it is printed', async () => {
    expect(await status()).toMatchObject({ code: 4 });
    const { stdout } = await run('nodes', 'enrol', 'joined', '--label', 'site=lab');
    const command = /^ {2}(echo .* gantry agent up .*)$/m.exec(stdout)?.[1] ?? '';
    const env = { PATH: process.env['PATH'] ?? '', HOME: here, GANTRY_AGENT_DATA_DIR: dataDir };
    const shell = spawn('sh', ['-c', command], { cwd: root, env, stdio: 'ignore' });
    started.push(shell);
    await until('the node to be connected', async () => {
      const shown = await bridge.nodes.show('joined');
      return shown.state === 'connected' && shown.plugins.length > 0;
    });
    const { stdout: text } = await until('the status to say so', async () => {
      const answer = await status();
      return answer.code === 0 ? answer : undefined;
    });
    const told = JSON.parse(text) as { pid: number };
    expect(told).toMatchObject({
      enrolled_as: 'joined',
      status: { node: 'joined', is_connected: true, bridge_url: platform.bridgeUrl },
    });
    // The token is in no argument that others on the machine can see.
    expect(readFileSync(`/proc/${told.pid}/cmdline`, 'utf8')).not.toContain(command.split(' ')[1]);
  });

  const settled = (name: string): Promise<NodeView> =>
    until('the node to have taken its settings', async () => {
      const found = await bridge.nodes.show(name);
      const { settings_applied: applied, settings_in_force: inForce } = found;
      return (inForce?.revision ?? 0) === (applied?.revision ?? 0) ? found : undefined;
    });

  it('takes settings for its label and its own over them, without a restart', async () => {
    const { lease_epoch: lease } = await bridge.nodes.show('joined');
    const set = (...words: readonly string[]) => json('nodes', 'settings', 'set', ...words);
    await set(
      '--label',
      'site=lab',
      'sysinfo.historySeconds=600',
      'sysinfo.intervalSeconds=20',
      '--disable',
      'jobs',
    );
    await set('joined', 'sysinfo.intervalSeconds=30');
    const shown = await settled('joined');
    expect(shown).toMatchObject({
      settings_in_force: {
        plugins: { sysinfo: { historySeconds: 600, intervalSeconds: 30 } },
        disabled: ['jobs'],
        labels: ['site=lab'],
      },
      settings_applied: { refused: null },
      lease_epoch: lease,
    });
    expect(shown.plugins.find(({ name }) => name === 'jobs')).toMatchObject({ state: 'disabled' });
    // A node without the label has nothing of it.
    expect((await bridge.nodes.show(node)).settings_in_force).toBeNull();
    const table = await run('nodes', 'settings', 'get', 'joined');
    expect(table.stdout).toMatch(/sysinfo\.historySeconds +600 +site=lab/);
    expect(table.stdout).toMatch(/sysinfo\.intervalSeconds +30 +the node/);
  });

  it('refuses settings that its plugins do not take, before anything is kept', async () => {
    const wrong = await run('nodes', 'settings', 'set', 'joined', 'sysinfo.bogus=1');
    expect([wrong.code, wrong.output]).toEqual([
      2,
      expect.stringMatching(/invalid-request.*sysinfo.*"bogus"/),
    ]);
    const missing = await run('nodes', 'settings', 'set', 'joined', 'containers.syncIntervalMs=5000');
    expect([missing.code, missing.output]).toEqual([
      2,
      expect.stringContaining('/body/plugins/containers: there is no plugin "containers"'),
    ]);
    const soon = { plugins: { sysinfo: { intervalSeconds: 'soon' } } };
    const refusal = { code: 'invalid-request', status: 422 };
    const pointer = '/body/plugins/sysinfo/intervalSeconds';
    // A value that the node's own would hide is wrong all the same; so is one for a label that no node has.
    for (const label of ['site=lab', 'no=such'])
      await expect(bridge.nodes.setLabelSettings(label, soon)).rejects.toMatchObject({
        ...refusal,
        errors: expect.arrayContaining([{ pointer, detail: expect.any(String) }]),
      });
    await expect(bridge.nodes.setLabelSettings('lab', {})).rejects.toMatchObject(refusal);
    await expect(bridge.nodes.setSettings('joined', { revision: 0 })).rejects.toMatchObject({
      code: 'precondition-failed',
      status: 412,
    });
    expect(await bridge.nodes.labelSettings()).toMatchObject([{ label: 'site=lab', nodes: ['joined'] }]);
  });

  it('goes back when they are forgotten', async () => {
    await json('nodes', 'settings', 'unset', 'joined', 'sysinfo');
    expect(await settled('joined')).toMatchObject({
      settings_in_force: { plugins: { sysinfo: { intervalSeconds: 20 } } },
    });
    await json('nodes', 'settings', 'unset', '--label', 'site=lab', '--all');
    expect(await settled('joined')).toMatchObject({
      settings_in_force: { disabled: [], plugins: {}, labels: [] },
    });
    expect(await bridge.nodes.labelSettings()).toEqual([]);
    await until('the plugin to run again', async () => {
      const shown = await bridge.nodes.show('joined');
      return shown.plugins.find(({ name }) => name === 'jobs')?.state === 'running';
    });
  });

  it('without the right to cancel, Ctrl-C leaves a program and says as which job it runs on', async () => {
    const passwordFile = local('ada-password', 'a long password of ada\n');
    await json('users', 'add', 'ada', '--new-password-file', passwordFile);
    const shared = await run('nodes', 'share', 'joined', 'ada', 'jobs:submit', 'jobs:read');
    expect([shared.code, shared.output]).toEqual([0, expect.not.stringContaining('no account')]);
    const account = ['--user', 'ada', '--password-file', passwordFile];
    const addresses = ['--cloud-url', platform.cloudUrl, '--bridge-url', platform.bridgeUrl];
    const program = ['nodes', 'exec', 'joined', '--', 'sh', '-c', 'echo $$; sleep 600'];
    const exec = startNode(gantry, [...account, ...addresses, ...program], platform.env);
    const pid = await until('the first line', () => Number(/^\d+\n/.exec(exec.stdout())?.[0]) || undefined);
    exec.child.kill('SIGINT');
    expect(await exec.ended).toBe(130);
    expect(exec.output()).toMatch(/could not be ended: .*; it runs on as job \S+; gantry jobs logs -f/);
    expect(exec.output()).not.toContain('GantryError');
    expect(isRunning(pid)).toBe(true);
    const [job] = await json<{ job_id: string }[]>('jobs', 'ls', '--node', 'joined', '--owner', 'ada');
    await json('jobs', 'cancel', '--node', 'joined', job?.job_id ?? '');
    await until('the program to end', () => !isRunning(pid));
  });

  it('ends like any program, and says that it has', async () => {
    const { pid } = JSON.parse((await status()).stdout) as { pid: number };
    process.kill(pid, 'SIGTERM');
    await until('the agent to end', () => !isRunning(pid));
    const over = await status();
    expect([over.code, JSON.parse(over.stdout)]).toMatchObject([4, { pid: null, enrolled_as: 'joined' }]);
  });
});
