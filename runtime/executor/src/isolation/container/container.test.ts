import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { isRunning, until } from '../../testing/sandbox-fixture.js';
import type { DeathReason, Isolation, StartedProcess } from '../isolation.js';
import { namesHere, namesOf } from '../supervisor-name.js';
import { cgroupRoots, cgroupsNamed } from './cgroups.js';
import { type ContainerParts, container, prepareContainers } from './container.js';
import { containerPrefix } from './container-folder.js';
import { removeStaleContainers } from './stale-containers.js';

/** Root and runc, which the packages of the test run bring; without them these tests fail with the reason. */
let parts: ContainerParts;
beforeAll(async () => {
  parts = await prepareContainers();
});

const bounds = { residentMiB: 96, scratchMiB: 8 };
const folder = mkdtempSync(join(tmpdir(), 'container-test-'));
// Whoever the container's user is, it may look into what is staged.
chmodSync(folder, 0o755);
const running = new Set<Started>();
afterEach(async () => {
  for (const { started, ended } of running) {
    started.kill();
    await ended;
  }
  running.clear();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Started {
  readonly child: ChildProcess;
  readonly started: StartedProcess;
  /** What the program wrote to its frames. */
  said(): string;
  readonly ended: Promise<DeathReason | undefined>;
}

function start(isolation: Isolation, file: string, args: readonly string[]): Started {
  const launch = isolation.launch({ file, args, readableFolder: folder }, bounds);
  const child = spawn(launch.file, [...launch.args], launch.options);
  const started = launch.started?.(child);
  if (started === undefined) throw new Error('a container is followed by its supervisor');
  const frames = child.stdio[3] as Duplex;
  let text = '';
  frames.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  frames.on('error', () => undefined);
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise<DeathReason | undefined>((resolve) =>
    child.once('close', () => resolve(started.ended())),
  );
  const program = { child, started, said: () => text, ended };
  running.add(program);
  return program;
}

/** JavaScript that says something on the frames, and then stays. */
const node = (isolation: Isolation, script: string) =>
  start(isolation, process.execPath, [
    '-e',
    `const say = (value) => require('node:fs').writeSync(3, JSON.stringify(value) + ';');
     ${script}; setInterval(() => undefined, 1000);`,
  ]);

const said = async (program: Started, what: string) => {
  await until(() => program.said().includes(what), `the program says ${what}, not ${program.said()}`);
};

/** What containers with such names have left on this machine. */
const leftOf = (names: string): string[] => [
  ...readdirSync(tmpdir()).filter((name) => name.startsWith(names)),
  ...cgroupsNamed(names, cgroupRoots()),
];

describe('a container', () => {
  it('leaves nothing after it was killed', async () => {
    const program = node(container(parts), `say('ready')`);
    await said(program, 'ready');
    const { pid } = program.started;
    expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).toContain('setInterval');
    program.started.kill();
    expect(await program.ended).toBeUndefined();
    expect(isRunning(Number(pid))).toBe(false);
    expect(program.started.pid).toBeUndefined();
    expect(leftOf(namesOf(containerPrefix, process.pid))).toEqual([]);
  });

  it('leaves nothing when it is killed before there is one', async () => {
    const program = node(container(parts), `say('ready')`);
    program.started.kill();
    await program.ended;
    expect(program.said()).toBe('');
    expect(leftOf(namesOf(containerPrefix, process.pid))).toEqual([]);
  });

  it('ends with runc, also in a loop that never looks up', async () => {
    const program = node(container(parts), `say('ready'); for (;;);`);
    await said(program, 'ready');
    const { pid } = program.started;
    program.child.kill('SIGKILL');
    await program.ended;
    await until(() => !isRunning(Number(pid)), 'the program is gone');
    await until(
      () => leftOf(namesOf(containerPrefix, process.pid)).length === 0,
      'what runc left is removed',
    );
  });

  it('is out of memory when the kernel says so', async () => {
    const script = `say('ready'); const kept = []; for (;;) kept.push(Buffer.alloc(1048576, 1));`;
    const program = node(container(parts), script);
    expect(await program.ended).toEqual({
      code: 'out-of-memory',
      text: 'the process of the function used more than 96 MiB',
    });
  });

  it('has a user of its own on this machine, and is nobody inside', async () => {
    const uids = async () => {
      const program = node(
        container(parts),
        'say([process.getuid(), process.getgid(), process.getgroups()])',
      );
      await said(program, '[65534,65534,[');
      const status = readFileSync(`/proc/${program.started.pid}/status`, 'latin1');
      program.started.kill();
      await program.ended;
      return /^Uid:\t(\d+)/m.exec(status)?.[1];
    };
    const found = new Set([await uids(), await uids()]);
    expect(found.size).toBe(2);
    for (const uid of found) expect(Number(uid)).toBeGreaterThan(1_999_999_999);
  });

  it('works on a machine without user namespaces, as a user that nothing else has', async () => {
    const isolation = container({ ...parts, machine: { ...parts.machine, hasUserNamespaces: false } });
    expect(isolation.description).toContain('without user namespaces');
    const script = `
      const { writeFileSync } = require('node:fs');
      writeFileSync('/tmp/mine', '1');
      try { writeFileSync('/gantry/theirs', '1'); } catch (error) { say([process.getuid() > 1999999999, error.code]); }`;
    const program = node(isolation, script);
    await said(program, '[true,"EROFS"]');
  });
});

describe('containers of a supervisor that was killed', () => {
  it('end at once, and the next start removes what they left', async () => {
    const supervisor = spawn(process.execPath, [
      ...['--input-type=module', '-e'],
      `import { spawn } from 'node:child_process';
       const { container, prepareContainers } = await import(${JSON.stringify(import.meta.url.replace('.test.js', '.js'))});
       const launch = container(await prepareContainers()).launch(
         { file: process.execPath, args: ['-e', 'for (;;);'], readableFolder: ${JSON.stringify(folder)} },
         ${JSON.stringify(bounds)},
       );
       const child = spawn(launch.file, [...launch.args], launch.options);
       const started = launch.started(child);
       setInterval(() => started.pid === undefined || console.log(started.pid), 50);`,
    ]);
    let pid = 0;
    supervisor.stdout.setEncoding('utf8').on('data', (text: string) => {
      pid = Number.parseInt(text, 10);
    });
    await until(() => pid > 0, 'the container runs');
    const names = namesOf(containerPrefix, Number(supervisor.pid));
    const gone = new Promise((resolve) => supervisor.once('close', resolve));
    supervisor.kill('SIGKILL');
    await gone;
    await until(() => !isRunning(pid), 'the container ended');
    expect(leftOf(names)).not.toEqual([]);
    await prepareContainers();
    expect(leftOf(names)).toEqual([]);
  });

  it('are ended at the next start, should they run on; what is another’s is left alone', async () => {
    const sleeper = spawn('/usr/bin/sleep', ['60']);
    const ended = new Promise((resolve) => sleeper.once('exit', (_code, signal) => resolve(signal)));
    const stale = `${namesHere(containerPrefix)}1-0-stale`;
    const own = `${namesOf(containerPrefix, process.pid)}own`;
    const foreign = `${namesHere(containerPrefix).replace(/\d+/, '1')}1-0-foreign`;
    const roots = cgroupRoots();
    for (const root of roots) mkdirSync(join(root, stale));
    for (const root of roots) {
      // The hierarchy of processors takes nobody before it is told which.
      if (!root.endsWith('cpuset')) writeFileSync(join(root, stale, 'cgroup.procs'), String(sleeper.pid));
    }
    const parent = mkdtempSync(join(tmpdir(), 'containers-'));
    for (const name of [stale, own, foreign]) mkdirSync(join(parent, name, 'state'), { recursive: true });
    const planted = `${stale}-planted`;
    mkdirSync(join(parent, planted));
    chownSync(join(parent, planted), 65534, 65534);
    await removeStaleContainers(parent);
    expect(await ended).toBe('SIGKILL');
    expect(new Set(readdirSync(parent))).toEqual(new Set([own, foreign, planted]));
    expect([...cgroupsNamed(stale, roots)]).toEqual([]);
    rmSync(parent, { recursive: true });
  });
});

describe('prepareContainers', () => {
  it('refuses whoever is not root, with the reason', async () => {
    await expect(prepareContainers(1000)).rejects.toThrow(
      'isolation level "container" cannot be had: it needs root, which alone can limit memory and processes',
    );
  });
});
