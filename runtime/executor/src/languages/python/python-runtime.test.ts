import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { encodeFrame, type Frame, FrameReader, frameKinds } from '../../sandbox/frames.js';
import type { ExecutorLimits, RunMeta } from '../../sandbox/protocol.js';
import { functionText } from '../../testing/c-client.js';
import { defaultLanguageSettings } from '../language.js';
import { pythonRuntime } from './python-runtime.js';

const limits: ExecutorLimits = {
  memoryMiB: 128,
  scratchMiB: 16,
  resultBytes: 1024,
  logBytes: 1024,
  warmFunctions: 1,
  codeBytes: 1024,
};
const options = { ...defaultLanguageSettings, isRestricted: true };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-python-'));
  await pythonRuntime.stage(folder);
});
afterAll(() => rm(folder, { recursive: true }));

describe('what is missing for Python', () => {
  it('is nothing on a machine that has the Debian packages', async () => {
    expect(await pythonRuntime.missing('PY', defaultLanguageSettings)).toBeUndefined();
    expect(await pythonRuntime.missing('C', defaultLanguageSettings)).toBeUndefined();
  });

  /** An interpreter that says this when it is asked what it has. */
  async function interpreterThatSays(text: string): Promise<string> {
    const file = join(folder, `python-${Math.random()}`);
    await writeFile(file, `#!/bin/sh\necho '${text}'\n`, { mode: 0o755 });
    return file;
  }
  const having = (found: object) =>
    interpreterThatSays(JSON.stringify({ version: [3, 11], cloudpickle: true, protobuf: true, ...found }));

  it.each([
    ['PY', '/no/python3', /^\/no\/python3 cannot be run as Python 3; install the Debian package python3$/],
    ['PY', '/bin/true', /cannot be run as Python 3; install the Debian package python3$/],
    ['PY', { version: [3, 9] }, /is Python 3\.9; install the Debian package python3, 3\.11 or later$/],
    ['PY', { cloudpickle: false }, /has no cloudpickle; install the Debian package python3-cloudpickle$/],
    ['C', { cloudpickle: false }, /has no cloudpickle; install the Debian package python3-cloudpickle$/],
    ['C', { protobuf: false }, /has no protobuf; install the Debian package python3-protobuf$/],
    ['PY', { protobuf: false }, undefined],
  ] as const)('is said for %s with the Debian package that has it: %j', async (language, found, expected) => {
    const pythonExecutable = typeof found === 'string' ? found : await having(found);
    const missing = await pythonRuntime.missing(language, { pythonExecutable });
    if (expected === undefined) expect(missing).toBeUndefined();
    else expect(missing).toMatch(expected);
  });
});

describe('the program of Python', () => {
  it('is staged as sources only, and started without the environment, the folder or site', async () => {
    const files = await readdir(join(folder, 'languages', 'python'), { recursive: true });
    expect(files).toContain('main.py');
    expect(files.filter((file) => file.includes('__pycache__') || file.includes('test'))).toEqual([]);
    const plan = pythonRuntime.launch(folder, limits, {
      ...options,
      moduleHints: { numpy: { flavours: ['science'] } },
    });
    expect([plan.file, plan.args.slice(0, 3), plan.readableFolder]).toEqual([
      '/usr/bin/python3',
      ['-I', '-S', '-B'],
      folder,
    ]);
    expect(JSON.parse(plan.args.at(-1) ?? '')).toEqual({
      ...limits,
      moduleHints: { numpy: { flavours: ['science'] } },
    });
  });

  let started: ChildProcess | undefined;
  afterEach(() => {
    started?.kill('SIGKILL');
  });

  /** The program with nothing around it. */
  async function start() {
    const { file, args } = pythonRuntime.launch(folder, limits, options);
    const child = spawn(file, [...args], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
    started = child;
    const pipe = child.stdio[3] as Duplex;
    const frames: Frame[] = [];
    let wake = (): void => undefined;
    const reader = new FrameReader(1024 * 1024, (frame) => {
      frames.push(frame);
      wake();
    });
    pipe.on('data', (chunk: Buffer) => reader.push(chunk));
    pipe.on('error', () => undefined);
    const next = async (): Promise<Frame> => {
      for (;;) {
        const frame = frames.shift();
        if (frame !== undefined) return frame;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    const write = (bytes: Uint8Array) => pipe.write(bytes);
    expect((await next()).kind).toBe(frameKinds.ready);
    return { child, pipe, next, write };
  }

  const meta = (call: number): RunMeta => ({
    call,
    executionId: 'f1.1',
    language: 'C',
    functionSha256: 'x',
    runMs: 10_000,
    resultBytes: 1024,
    logBytes: 1024,
    fresh: false,
  });
  const code = Buffer.from(functionText('def f():\n    print("hi")\n    return 2\n'), 'base64');

  it('takes frames however they are cut, and asks for code once', async () => {
    const { child, pipe, next, write } = await start();
    const run = Buffer.concat(encodeFrame(frameKinds.run, meta(1), Buffer.from('[]')));
    for (const byte of run) write(Buffer.from([byte]));
    expect(await next()).toMatchObject({ kind: frameKinds.needCode, meta: { call: 1 } });
    // An abort of another call in between means nothing.
    const abort = encodeFrame(frameKinds.abort, { call: 7 });
    write(Buffer.concat([...abort, ...encodeFrame(frameKinds.code, { call: 1 }, code)]));
    const done = await next();
    expect(done).toMatchObject({ kind: frameKinds.done, meta: { call: 1, answerBytes: 46 } });
    expect(done.payload.toString()).toBe('{"ret_code":0,"res":"CgUiAwoBAg==","err":null}hi\n');
    write(Buffer.concat(encodeFrame(frameKinds.run, meta(2), Buffer.from('[]'))));
    expect(await next()).toMatchObject({ kind: frameKinds.done, meta: { call: 2 } });
    const ended = once(child, 'exit');
    pipe.destroy();
    await ended;
  });

  it('can be told to stop a call whose code it waits for', async () => {
    const { child, pipe, next, write } = await start();
    write(Buffer.concat(encodeFrame(frameKinds.run, meta(1), Buffer.from('[]'))));
    await next();
    write(Buffer.concat(encodeFrame(frameKinds.abort, { call: 1 })));
    expect(await next()).toMatchObject({ kind: frameKinds.done, meta: { call: 1, code: 'cancelled' } });
    const ended = once(child, 'exit');
    pipe.destroy();
    await ended;
  });

  it.each([
    ['while it waits', ''],
    ['while a function loops', 'def f():\n    while True: pass\n'],
  ])('ends with the other end of its pipe, %s', async (_name, source) => {
    const { child, pipe, next, write } = await start();
    if (source !== '') {
      write(Buffer.concat(encodeFrame(frameKinds.run, meta(1), Buffer.from('[]'))));
      await next();
      write(
        Buffer.concat(encodeFrame(frameKinds.code, { call: 1 }, Buffer.from(functionText(source), 'base64'))),
      );
    }
    const ended = once(child, 'exit');
    pipe.destroy();
    expect(await ended).toEqual([1, null]);
  });

  it('ends when it is sent what is no frame', async () => {
    const { child, write } = await start();
    const ended = once(child, 'exit');
    write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0]));
    expect(await ended).toEqual([1, null]);
  });
});
