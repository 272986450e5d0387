import { afterEach, describe, expect, it } from '@jest/globals';
import { resultOf, until } from '../testing/sandbox-fixture.js';
import {
  type CallOutcome,
  type ExecutorCall,
  ExecutorProcess,
  type ProgramTraits,
} from './executor-process.js';

/** An executor that answers each `run` with what the script makes of it: `frame(kind, meta, payload)` sends. */
const program = (script: string): string => `
  const net = require('node:net');
  const socket = new net.Socket({ fd: 3, readable: true, writable: true });
  const frame = (kind, meta, payload = '') => {
    const text = Buffer.from(JSON.stringify(meta)), body = Buffer.from(payload), head = Buffer.alloc(9);
    head.writeUInt32BE(5 + text.length + body.length, 0);
    head.writeUInt8(kind, 4);
    head.writeUInt32BE(text.length, 5);
    socket.write(Buffer.concat([head, text, body]));
  };
  const good = '{"ret_code":0,"res":"Mg==","err":null}';
  const done = (call, payload = good, answerBytes = payload.length) =>
    frame(7, { call, runMs: 1, answerBytes }, payload);
  let call = 0;
  socket.on('data', (bytes) => { if (bytes[4] === 1) { call += 1; ${script} } else if (bytes[4] === 2) onCode(); });
  function onCode() { done(call); }
  frame(4, {});`;

let running: ExecutorProcess | undefined;
afterEach(() => running?.end());

const traits: ProgramTraits = {
  name: 'js',
  bootsThreads: true,
  functionsPerProcess: 'many',
  codeBytes: 1024 * 1024,
};

async function callOn(
  script: string,
  changes: Partial<ExecutorCall> = {},
  changedTraits: Partial<ProgramTraits> = {},
): Promise<CallOutcome> {
  const options = { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true } as const;
  const plan = {
    file: process.execPath,
    args: ['-e', program(script)],
    options: { ...options, stdio: [...options.stdio] },
  };
  running = new ExecutorProcess({ ...traits, ...changedTraits }, plan, () => undefined);
  await running.ready;
  return running.run({ ...call, ...changes });
}

const call: ExecutorCall = {
  executionId: 'f1.1',
  language: 'JS',
  functionSha256: 'a',
  parameters: Buffer.from('[]'),
  runMs: 5000,
  resultBytes: 1024 * 1024,
  logBytes: 1024,
  isFresh: false,
  loadCode: () => Promise.resolve(Buffer.from('code')),
};

describe('an executor process that keeps to the protocol', () => {
  it.each([
    ['answers', 'done(call);'],
    ['asks for code first', 'frame(5, { call });'],
    [
      'boots first',
      "frame(8, { call, phase: 'booting' }); frame(8, { call, phase: 'running' }); done(call);",
    ],
    ['still says something of a call that is over', 'frame(6, { call: call - 1, perMille: 5 }); done(call);'],
  ])('%s', async (_name, script) => {
    expect(resultOf(await callOn(script))).toBe(2);
  });

  it('and says that a call was its last is given no other', async () => {
    const script =
      "frame(7, { call, code: 'out-of-memory', text: 'x', runMs: 1, answerBytes: 0, isLast: true });";
    expect(resultOf(await callOn(script))).toBe('out-of-memory: x');
    expect(running?.isDead).toBe(true);
  });
});

describe('an executor process that sends what is not due is killed', () => {
  it.each([
    ['asking for code twice', 'frame(5, { call }); frame(5, { call });'],
    ['asking for code after the run began', 'frame(6, { call, perMille: 1 }); frame(5, { call });'],
    ['answering without the code it asked for', 'frame(5, { call }); done(call);'],
    ['booting twice', "for (const phase of ['booting', 'running', 'booting']) frame(8, { call, phase });"],
    ['running without a boot', "frame(8, { call, phase: 'running' });"],
    ['another phase', "frame(8, { call, phase: 'x' });"],
    ['a call that was not made', 'done(call + 1);'],
    ['a call without number', 'frame(6, { perMille: 1 });'],
    ['metadata that is nothing', 'frame(6, null);'],
    ['a second ready', 'frame(4, {});'],
    ['an unknown kind', 'frame(99, { call });'],
    ['progress beyond the end', 'frame(6, { call, perMille: 1001 });'],
    ['an answer longer than its frame', 'done(call, good, good.length + 1);'],
    ['an answer of a broken length', 'done(call, good, 1.5);'],
    ['an answer of negative length', 'done(call, good, -1);'],
    ['an answer of another form', "done(call, '{}');"],
    [
      'an answer with more between its ends',
      'done(call, good.replace(\'res":"\', \'res":"\\n"},"x":{"a":"\'));',
    ],
    ['an answer with another end', "done(call, good.replace('null', '1'));"],
    [
      'a failure it cannot know of',
      "frame(7, { call, code: 'code-unavailable', runMs: 1, answerBytes: 0 });",
    ],
    ['a cancellation nobody asked for', "frame(7, { call, code: 'cancelled', runMs: 1, answerBytes: 0 });"],
  ])('%s', async (_name, script) => {
    const outcome = await callOn(script, { loadCode: () => new Promise<Buffer>(() => undefined) });
    expect(resultOf(outcome)).toMatch(/^worker-lost: the executor sent nonsense: /);
    expect(running?.isDead).toBe(true);
  });

  it('and frames it goes on sending do not keep a call alive', async () => {
    const script = 'setInterval(() => frame(6, { call, perMille: 1 }), 20);';
    expect(resultOf(await callOn(script, { runMs: 100 }))).toBe('execution-timeout: stopped after 100 ms');
  });
});

describe('an executor process does not get more time', () => {
  const secondCall = async (outcome: CallOutcome) => {
    expect(resultOf(outcome)).toBe(2);
    return resultOf((await running?.run(call)) as CallOutcome);
  };

  it('by phases that its program does not have', async () => {
    const script = "frame(8, { call, phase: 'booting' });";
    expect(resultOf(await callOn(script, {}, { bootsThreads: false }))).toBe(
      'worker-lost: the executor sent nonsense: RangeError: a phase of a program that has none',
    );
  });

  it('by asking for code that it has', async () => {
    const outcome = await callOn('frame(5, { call });');
    expect(await secondCall(outcome)).toBe(
      'worker-lost: the executor sent nonsense: RangeError: it asks for code that is not due',
    );
  });

  it('but may ask again for code it could not load, or had to drop', async () => {
    const invalid = "frame(7, { call, code: 'invalid-function', text: 'x', runMs: 1, answerBytes: 0 });";
    const outcome = await callOn(
      `frame(5, { call }); if (call === 1) onCode = () => { onCode = () => done(call); ${invalid} };`,
    );
    expect(resultOf(outcome)).toBe('invalid-function: x');
    expect(resultOf((await running?.run(call)) as CallOutcome)).toBe(2);
    await running?.end();
    const dropped = await callOn('frame(5, { call });', {}, { codeBytes: 6 });
    expect(resultOf(dropped)).toBe(2);
    expect(resultOf((await running?.run({ ...call, functionSha256: 'b' })) as CallOutcome)).toBe(2);
    expect(resultOf((await running?.run(call)) as CallOutcome)).toBe(2);
  });

  it('by a boot that does not end', async () => {
    const outcome = await callOn("frame(8, { call, phase: 'booting' });", { runMs: 60_000 });
    expect(resultOf(outcome)).toBe('worker-lost: no thread for the function within 10000 ms');
  }, 20_000);
});

describe('an executor process that sends more than it may is killed', () => {
  const flooded = 'worker-lost: the executor sent more frames than it may';

  it.each([
    ['progress', 'frame(6, { call, perMille: 1 })'],
    ['frames of calls that are over', 'frame(6, { call: 0 })'],
  ])('%s', async (_name, one) => {
    expect(resultOf(await callOn(`for (let i = 0; i < 200; i += 1) ${one};`))).toBe(flooded);
    expect(running?.isDead).toBe(true);
  });

  it('between calls as well, and the reason is known', async () => {
    await callOn('done(call); for (let i = 0; i < 200; i += 1) frame(6, { call, perMille: 1 });');
    await until(() => running?.endedBecause !== undefined, 'it ended');
    expect(`worker-lost: ${running?.endedBecause}`).toBe(flooded);
  });

  it('not by one progress for each of many short calls', async () => {
    let outcome = await callOn(
      'frame(6, { call, perMille: 1 }); done(call); frame(6, { call, perMille: 2 });',
    );
    for (let i = 0; i < 300; i += 1) outcome = (await running?.run(call)) as CallOutcome;
    expect(resultOf(outcome)).toBe(2);
  });

  it.each([
    [
      'large frame between calls',
      'done(call); socket.write(Buffer.from([0, 32, 0, 0, 6]));',
      /outside the bound/,
    ],
    [
      'frame larger than the result of this call may be',
      "frame(7, { call, runMs: 1, answerBytes: 0 }, 'x'.repeat(512 * 1024));",
      /outside the bound/,
    ],
    [
      'log with a failure that is longer than the log may be',
      "frame(7, { call, code: 'function-error', runMs: 1, answerBytes: 0 }, 'x'.repeat(2000));",
      /more log than it may have/,
    ],
    ['log with an answer', "done(call, good + 'x'.repeat(2000), good.length);", /more log than it may have/],
  ])('a %s', async (_name, script, reason) => {
    await callOn(script, { resultBytes: 1000 });
    await until(() => running?.endedBecause !== undefined, 'it ended');
    expect(running?.endedBecause).toMatch(reason);
  });
});
