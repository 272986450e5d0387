import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type FakeProgram, fakeRuntimeProgram } from '../../test-support/fake-runtime-program.js';
import { identityOf, isAlive } from './process-identity.js';
import { RuntimeProcesses } from './runtime-processes.js';

jest.setTimeout(60_000);

const timeoutMs = 20_000;
const inherited = {
  PATH: '/usr/bin',
  EDITOR: 'ed',
  NODE_ENV: 'production',
  GANTRY_RUNTIME_SLOTS: '3',
  GANTRY_FLAVOURS_DIR: '/etc/gantry/flavours',
  GANTRY_BROKER_CA_FILE: '/etc/gantry/ca.pem',
  GANTRY_BROKER_URL: 'amqp://user:secret@127.0.0.1',
  GANTRY_RUNTIME_CREDENTIAL: 'secret',
  GANTRY_STORE_URL: 'postgres://user:secret@127.0.0.1/db',
  GANTRY_ADMIN_PASSWORD: 'secret',
  GANTRY_ENROLMENT_TOKEN_FILE: '/etc/gantry/enrolment',
  GANTRY_METRICS_PORT: '9339',
  GANTRY_EDGE_PORT: '1339',
  GANTRY_CONFIG_FILE: '/etc/gantry/edge.yaml',
};

let program: FakeProgram;
let folder: string;
let processes: RuntimeProcesses;

beforeEach(() => {
  program = fakeRuntimeProgram(inherited);
  folder = join(program.folder, 'runtimes');
  processes = new RuntimeProcesses(folder);
});
afterEach(async () => {
  program.behave('well');
  await Promise.all(processes.list().map((one) => processes.kill(one)));
  program.remove();
});

const start = (flavour = 'Nature') => processes.start(flavour, program.launch, { timeoutMs });
const printed = (logFile: string) =>
  JSON.parse(readFileSync(logFile, 'utf8')) as {
    argv: string[];
    env: Record<string, string>;
    secrets: string[];
  };

describe('a runtime process', () => {
  it('gets its settings and its secrets, the latter by file only', async () => {
    const one = await processes.start('Nature', program.launch, { timeoutMs, slots: 2 });
    const { argv, env, secrets } = printed(one.logFile);
    expect(argv).toEqual(['--flavour', 'Nature', '--slots', '2']);
    expect(secrets).toEqual(['amqp://user:password@127.0.0.1', 'credential-of-runtimes']);
    expect(JSON.stringify([argv, env])).not.toMatch(/secret|password/);
    expect(env).toMatchObject({
      NODE_ENV: 'production',
      GANTRY_RUNTIME_SLOTS: '3',
      GANTRY_FLAVOURS_DIR: '/etc/gantry/flavours',
      GANTRY_BROKER_CA_FILE: '/etc/gantry/ca.pem',
      GANTRY_EDGE_URLS: 'http://127.0.0.1:1339',
      GANTRY_RUNTIME_DRAIN_SECONDS: '905',
    });
    for (const name of ['EDITOR', 'GANTRY_METRICS_PORT', 'GANTRY_EDGE_PORT', 'GANTRY_CONFIG_FILE'])
      expect(env).not.toHaveProperty(name);
    expect(statSync(env['GANTRY_BROKER_URL_FILE'] ?? '').mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('is given the lowest number that is free, also when several are started at once', async () => {
    await Promise.all([start(), start(), start('Other')]);
    expect(processes.list().map(({ id }) => id)).toEqual(['Nature.1', 'Nature.2', 'Other.1']);
    const [first] = processes.list('Nature');
    expect(first && (await processes.drain(first, { timeoutMs }))).toBe(true);
    expect(await start()).toMatchObject({ id: 'Nature.1', state: 'taking', reason: undefined });
  });

  it('is found again by another program on the same folder', async () => {
    const { pid } = await start();
    expect(new RuntimeProcesses(folder).list()).toMatchObject([{ id: 'Nature.1', pid, state: 'taking' }]);
  });

  it('that was killed is lost, until it is forgotten; its number is free', async () => {
    const one = await start();
    appendFileSync(
      one.logFile,
      [
        '{"level":"warn","message":"the broker went","reason":"EOF"}',
        '{"level":"info","message":"fine"}',
      ].join('\n'),
    );
    process.kill(one.pid, 'SIGKILL');
    while (isAlive(one)) await new Promise((resolve) => setTimeout(resolve, 10));
    const [lost] = processes.list();
    expect(lost).toMatchObject({
      id: 'Nature.1',
      state: 'lost',
      reason: 'the process is gone: the broker went: EOF',
    });
    if (lost !== undefined) processes.forget(lost);
    expect(processes.list()).toEqual([]);
    expect(existsSync(one.logFile)).toBe(true);
    expect((await start()).id).toBe('Nature.1');
    expect(existsSync(`${one.logFile}.old`)).toBe(true);
  });

  it('whose id was given to another process is neither signalled nor listed as running', async () => {
    const one = await start();
    await processes.kill(one);
    const path = join(folder, 'Nature.1.json');
    const other = { ...identityOf(process.pid), startTicks: '1' };
    const { id, flavour, number, startedAtMs, isDraining } = one;
    writeFileSync(path, JSON.stringify({ id, flavour, number, startedAtMs, isDraining, ...other }));
    const [lost] = processes.list();
    expect(lost).toMatchObject({ pid: process.pid, state: 'lost' });
    // Were it signalled, this test would end here.
    expect(lost && (await processes.kill(lost))).toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  it('says that it drains, and how much it still runs', async () => {
    const one = await start();
    program.behave('busy');
    expect(await processes.drain(one, { timeoutMs: 300 })).toBe(false);
    expect(processes.list()).toMatchObject([{ state: 'draining', running: 1 }]);
    program.behave('well');
    const [draining] = processes.list();
    expect(draining && (await processes.drain(draining, { timeoutMs }))).toBe(true);
    expect(processes.list()).toEqual([]);
  });
});

it('records that cannot be read are nobody', async () => {
  await start();
  writeFileSync(join(folder, 'Nature.2.json'), '{"id":');
  writeFileSync(join(folder, 'notes.json'), '{}');
  expect(processes.list()).toHaveLength(1);
});

it('one program at a time scales a flavour', () => {
  const release = processes.claim('Nature');
  expect(() => processes.claim('Nature')).toThrow(`process ${process.pid} is scaling`);
  processes.claim('Other')();
  release();
  processes.claim('Nature')();
});
