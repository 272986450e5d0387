import { afterEach, describe, expect, it } from '@jest/globals';
import { resultOf } from '../testing/sandbox-fixture.js';
import { type CallOutcome, type ExecutorCall, ExecutorProcess } from './executor-process.js';

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

async function callOn(script: string, changes: Partial<ExecutorCall> = {}): Promise<CallOutcome> {
  const options = { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true } as const;
  const plan = {
    file: process.execPath,
    args: ['-e', program(script)],
    options: { ...options, stdio: [...options.stdio] },
  };
  running = new ExecutorProcess('JS', plan, 1024 * 1024, () => undefined);
  await running.ready;
  return running.run({
    executionId: 'f1.1',
    functionSha256: 'a',
    parameters: Buffer.from('[]'),
    runMs: 5000,
    loadCode: () => Promise.resolve(Buffer.from('code')),
    ...changes,
  });
}

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
