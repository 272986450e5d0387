import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Broker, encodeCancel, encodeDrain, encodeRequest, queues } from '@gantry/broker';
import { type ExecutionRequest, flavourDefinitionSchema } from '@gantry/contracts/execution';
import { AppError } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorOf, FakeFrontend, flavour } from './testing/broker-fixture.js';
import { decodeAnswer, encodeParameters, isRunning, until } from './testing/sandbox-fixture.js';

const add = 'export default (a, b) => a + b;';
const endless = 'export default () => { for (;;); };';
/** Says in its log when it ran, so that order can be told. */
const slow = 'export default (ms) => new Promise((r) => setTimeout(() => r(Date.now()), ms));';

const define = (changes: object) => flavourDefinitionSchema.parse({ name: flavour, ...changes });

let frontend: FakeFrontend;
beforeEach(async () => {
  frontend = new FakeFrontend();
  await frontend.start();
});
afterEach(() => frontend.stop());

const publish = (message: Parameters<typeof frontend.broker.publish>[0]) =>
  frontend.broker.publish(message, { timeoutMs: 1000 });
/** Delivers a request to somebody who never acknowledges, so that the runtime gets it redelivered. */
async function sendRedelivered(
  executionId: string,
  mode: 'sync' | 'async',
  message: ReturnType<typeof encodeRequest>,
) {
  const other = frontend.server.connect();
  await new Promise<void>((resolve) => {
    void other
      .consume(queues.execute(flavour, mode), { prefetch: 1 }, () => resolve())
      .then(() => publish(message));
  });
  await other.close();
  return executionId;
}

describe('a synchronous call', () => {
  it('is run and answered under its id, then acknowledged', async () => {
    const runtime = await frontend.runtime();
    expect(runtime.notReady()).toBeUndefined();
    const finished = await frontend.finished(await frontend.send(frontend.request(add), [1, 2]));
    expect(finished).toMatchObject({ status: 'succeeded', attempt: 1, runtimeId: 'r1' });
    expect(decodeAnswer(finished.result)).toBe(3);
    await frontend.finished(await frontend.send(frontend.request(add), [1, 2]));
    expect(frontend.payloads.fetches).toBe(1);
    await until(async () => (await frontend.waiting('sync')) === 0 && runtime.running === 0, 'acknowledged');
    expect(frontend.results.map(({ kind }) => kind)).toEqual(['finished', 'finished']);
    expect(frontend.records[0]).toMatchObject({ flavour, mode: 'sync', outcome: 'succeeded' });
  });

  it('of an administrator runs apart from its own functions when the function is of another account', async () => {
    await frontend.runtime();
    const where = 'export default () => process.pid;';
    const pidOf = async (changes: Partial<ExecutionRequest>) => {
      const request = frontend.request(where, { owner: 'admin', ...changes });
      return decodeAnswer((await frontend.finished(await frontend.send(request))).result);
    };
    const [own, ofBob] = [await pidOf({}), await pidOf({ functionOwner: 'bob' })];
    expect([typeof own, typeof ofBob, own === ofBob]).toEqual(['number', 'number', false]);
    expect([await pidOf({ functionOwner: 'bob' }), await pidOf({ functionOwner: 'admin' })]).toEqual([
      ofBob,
      own,
    ]);
  });

  it('that lasts says that it started; its progress and log come along', async () => {
    await frontend.runtime();
    const source =
      'export default async () => { gantry.progress(0.5); console.log("hello"); await new Promise((r) => setTimeout(r, 500)); return 1; };';
    const finished = await frontend.finished(await frontend.send(frontend.request(source)));
    expect(finished.log.toString()).toBe('hello\n');
    const kinds = frontend.results.map(({ kind }) => kind);
    expect([new Set(kinds), kinds.at(-1)]).toEqual([
      new Set(['progress', 'started', 'finished']),
      'finished',
    ]);
  });

  it('says again that it started, for frontends that missed it', async () => {
    await frontend.runtime();
    await frontend.finished(await frontend.send(frontend.request(slow), [5700]));
    expect(frontend.results.filter(({ kind }) => kind === 'started').length).toBeGreaterThanOrEqual(2);
  }, 20_000);

  it('that failed carries its code, and a result its client can decode', async () => {
    await frontend.runtime();
    const finished = await frontend.finished(
      await frontend.send(frontend.request('export default () => { throw new Error("no"); };')),
    );
    expect(finished).toMatchObject({ status: 'failed', code: 'function-error' });
    expect(JSON.parse(finished.result.toString())).toMatchObject({ ret_code: -1, res: 'bnVsbA==' });
    expect(errorOf(finished)).toMatch(/^function-error: Error: no/);
  });

  it.each([
    ['PY', 'gAVOLg=='],
    ['C', ''],
  ] as const)('in %s is answered with language-unavailable where it is missing', async (language, res) => {
    await frontend.runtime({ pythonExecutable: '/nowhere/python3' });
    const finished = await frontend.finished(await frontend.send(frontend.request(add, { language })));
    expect(JSON.parse(finished.result.toString())).toEqual({
      ret_code: -1,
      res,
      err: expect.stringMatching(
        `^language-unavailable: flavour "Nature" has no runtime for ${language}: .*Debian package python3`,
      ),
    });
  });

  it('in PY is answered with the setting to mend where the interpreter cannot run in the sandbox', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-python-'));
    const pythonExecutable = join(folder, 'python3');
    // Fit for the supervisor; sandboxes have a home. The folder is closed to other users besides, as mkdtemp makes it.
    const script = '#!/bin/sh\n[ -z "$HOME" ] || exit 9\nexec /usr/bin/python3 "$@"\n';
    writeFileSync(pythonExecutable, script, { mode: 0o755 });
    try {
      await frontend.runtime({ pythonExecutable, isolation: 'sandbox' });
      const refused = await frontend.finished(await frontend.send(frontend.request(add, { language: 'PY' })));
      expect(errorOf(refused)).toMatch(
        /^language-unavailable: .*\(GANTRY_PYTHON\) cannot be started.*python3/,
      );
      const finished = await frontend.finished(await frontend.send(frontend.request(add), [20, 22]));
      expect(decodeAnswer(finished.result)).toBe(42);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('in a language that its flavour does not declare is not run', async () => {
    await frontend.runtime({ definitions: [define({ languages: ['PY'] })] });
    const finished = await frontend.finished(await frontend.send(frontend.request(add)));
    expect(errorOf(finished)).toBe(
      'language-unavailable: flavour "Nature" has no runtime for JS: it is declared for PY only',
    );
  });

  it('keeps to the limits of its flavour, and to lower ones of its requirement', async () => {
    const limits = { executionSeconds: 1, resultBytes: 100, logBytes: 10 };
    await frontend.runtime({ definitions: [define({ limits })] });
    const text = 'export default (n) => { console.log("x".repeat(50)); return "x".repeat(n); }';
    const endless = 'export default () => { for (;;); }';
    const run = async (source: string, values: unknown[], changes: Partial<ExecutionRequest> = {}) =>
      frontend.finished(await frontend.send(frontend.request(source, changes), values));
    expect(errorOf(await run(text, [99]))).toBe(
      'result-too-large: the result has 101 bytes, the limit is 100',
    );
    expect(errorOf(await run(text, [50], { limits: { resultBytes: 40 } }))).toMatch(/limit is 40$/);
    const fine = await run(text, [98], { limits: { resultBytes: 1000, logBytes: 4 } });
    expect([errorOf(fine), fine.log.toString()]).toEqual([null, 'xxxx\n[log truncated]\n']);
    expect(errorOf(await run(endless, [], { runMs: 60_000 }))).toBe(
      'execution-timeout: stopped after 1000 ms',
    );
  });

  it('that asks for a fresh realm gets one each time', async () => {
    await frontend.runtime();
    const counter = 'let calls = 0; export default () => { calls += 1; return calls; }';
    const count = async (changes: Partial<ExecutionRequest>) =>
      decodeAnswer((await frontend.finished(await frontend.send(frontend.request(counter, changes)))).result);
    expect([await count({ isFresh: true }), await count({ isFresh: true })]).toEqual([1, 1]);
    expect([await count({}), await count({}), await count({ isFresh: true })]).toEqual([1, 2, 1]);
  });

  it('that waited too long is not started', async () => {
    await frontend.runtime();
    const request = frontend.request(add, { expiresAtMs: Date.now() - 5000 });
    // Without the broker's own expiry, which acts at the head of a queue only.
    const { expirationMs: _housekeeping, ...message } = encodeRequest(request, encodeParameters([1, 2]));
    await publish(message);
    const finished = await frontend.finished(request.executionId);
    expect([finished.status, errorOf(finished)]).toEqual([
      'expired',
      'expired: it waited longer than allowed and was not started',
    ]);
    expect(frontend.payloads.fetches).toBe(0);
  });

  it('that was redelivered is never run, and answered worker-lost', async () => {
    await frontend.runtime().then((runtime) => runtime.stop());
    const request = frontend.request(add);
    await sendRedelivered(request.executionId, 'sync', encodeRequest(request, encodeParameters([1, 2])));
    await frontend.runtime();
    const finished = await frontend.finished(request.executionId);
    expect([finished.status, finished.code]).toEqual(['failed', 'worker-lost']);
    expect(frontend.payloads.fetches).toBe(0);
  });

  it('with parameters by reference gets them from the payloads', async () => {
    await frontend.runtime();
    const parametersSha256 = frontend.payloads.add(encodeParameters([20, 22]));
    expect(
      decodeAnswer(
        (await frontend.finished(await frontend.send(frontend.request(add, { parametersSha256 })))).result,
      ),
    ).toBe(42);
  });

  it('whose code cannot be had says so', async () => {
    await frontend.runtime();
    frontend.payloads.failure = new AppError('payload-not-found', 'no such payload anywhere');
    const finished = await frontend.finished(await frontend.send(frontend.request(add)));
    expect(errorOf(finished)).toBe('code-unavailable: no such payload anywhere');
    frontend.payloads.failure = undefined;
    expect((await frontend.finished(await frontend.send(frontend.request(add), [1, 1]))).status).toBe(
      'succeeded',
    );
  });

  it('that ends in a killed process leaves the runtime able to run the next', async () => {
    await frontend.runtime();
    expect(
      errorOf(await frontend.finished(await frontend.send(frontend.request(endless, { runMs: 200 })))),
    ).toBe('execution-timeout: stopped after 200 ms');
    expect((await frontend.finished(await frontend.send(frontend.request(add), [1, 1]))).status).toBe(
      'succeeded',
    );
  });
});

describe('an asynchronous execution', () => {
  it('runs with the attempt of its lease', async () => {
    frontend.lease = { outcome: 'granted', attempt: 2 };
    await frontend.runtime();
    const id = await frontend.send(frontend.request(add, { mode: 'async' }), [1, 2]);
    expect(await frontend.finished(id)).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(frontend.leaseRequests).toMatchObject([{ executionId: id, runtimeId: 'r1', redelivered: false }]);
  });

  it('is dropped when the lease is refused', async () => {
    frontend.lease = { outcome: 'refused', reason: 'cancelled' };
    const runtime = await frontend.runtime();
    const id = await frontend.send(frontend.request(add, { mode: 'async' }));
    await until(
      async () =>
        frontend.leaseRequests.length === 1 &&
        runtime.running === 0 &&
        (await frontend.waiting('async')) === 0,
      'dropped',
    );
    expect(frontend.finishedOf(id)).toBeUndefined();
    frontend.lease = { outcome: 'granted', attempt: 1 };
    const next = await frontend.send(frontend.request(add, { mode: 'async' }), [1, 2]);
    expect((await frontend.finished(next)).status).toBe('succeeded');
  });

  it.each([
    ['refused', { outcome: 'refused', reason: 'expired' } as const, undefined],
    ['granted', { outcome: 'granted', attempt: 2 } as const, 'succeeded'],
  ])('that is late is never reported as expired: its lease decides (%s)', async (_name, lease, status) => {
    frontend.lease = lease;
    const runtime = await frontend.runtime();
    const request = frontend.request(add, { mode: 'async', expiresAtMs: Date.now() - 5000 });
    const { expirationMs: _housekeeping, ...message } = encodeRequest(request, encodeParameters([1, 2]));
    await publish(message);
    await until(
      async () =>
        frontend.leaseRequests.length === 1 &&
        runtime.running === 0 &&
        (await frontend.waiting('async')) === 0,
      'decided',
    );
    expect(frontend.finishedOf(request.executionId)?.status).toBe(status);
    expect(frontend.payloads.fetches).toBe(status === undefined ? 0 : 1);
  });

  it('whose result no queue takes goes back to its queue', async () => {
    const broker: Broker = frontend.server.connect();
    let refusals = 0;
    const publishAnyway = broker.publish.bind(broker);
    broker.publish = (message, options) => {
      if (refusals > 0 || message.headers?.['kind'] !== 'finished') return publishAnyway(message, options);
      refusals += 1;
      return Promise.resolve('unroutable');
    };
    await frontend.runtime({}, broker);
    const id = await frontend.send(frontend.request(add, { mode: 'async' }), [1, 2]);
    expect((await frontend.finished(id)).status).toBe('succeeded');
    expect([refusals, frontend.leaseRequests.map(({ redelivered }) => redelivered)]).toEqual([
      1,
      [false, true],
    ]);
  }, 20_000);

  it('goes back to its queue when no lease can be had, and runs later', async () => {
    frontend.lease = { outcome: 'unavailable' };
    await frontend.runtime();
    const id = await frontend.send(frontend.request(add, { mode: 'async' }), [1, 2]);
    await until(() => frontend.records.some(({ outcome }) => outcome === 'requeued'), 'given back');
    frontend.lease = { outcome: 'granted', attempt: 1 };
    expect((await frontend.finished(id)).status).toBe('succeeded');
    expect(frontend.leaseRequests.at(-1)?.redelivered).toBe(true);
  }, 20_000);

  it('whose code is out of reach for now is tried again, not failed', async () => {
    await frontend.runtime();
    frontend.payloads.failure = new AppError('edge-overloaded', 'not now');
    const id = await frontend.send(frontend.request(add, { mode: 'async' }), [1, 2]);
    await until(() => frontend.records.some(({ outcome }) => outcome === 'requeued'), 'given back');
    expect(frontend.leaseRequests).toEqual([]);
    frontend.payloads.failure = undefined;
    expect((await frontend.finished(id)).status).toBe('succeeded');
  }, 20_000);

  it('waits for synchronous calls, but at most for eight of them', async () => {
    const runtime = await frontend.runtime();
    await frontend.send(frontend.request(slow), [100]);
    await until(() => runtime.running === 1, 'the lane is taken');
    const asyncId = await frontend.send(frontend.request(add, { mode: 'async' }), [1, 1]);
    const calls: string[] = [];
    for (let i = 0; i < 20; i += 1) calls.push(await frontend.send(frontend.request(add), [i, i]));
    for (const id of calls) await frontend.finished(id);
    const order = frontend.results
      .filter(({ kind }) => kind === 'finished')
      .map(({ executionId }) => executionId);
    const place = order.indexOf(asyncId);
    expect(place).toBeGreaterThan(0);
    expect(place).toBeLessThanOrEqual(9);
  });
});

describe('cancelling', () => {
  it('ends a running execution within two seconds, an endless loop included', async () => {
    const runtime = await frontend.runtime();
    const id = await frontend.send(frontend.request(endless, { mode: 'async', runMs: 60_000 }));
    await until(() => runtime.running === 1 && frontend.leaseRequests.length === 1, 'running');
    await publish(encodeCancel(id, flavour));
    expect(await frontend.finished(id)).toMatchObject({ status: 'cancelled', code: 'cancelled' });
  });

  it('is remembered for what has not come yet', async () => {
    const runtime = await frontend.runtime();
    const sync = frontend.request(add);
    const async = frontend.request(add, { mode: 'async' });
    for (const { executionId } of [sync, async]) await publish(encodeCancel(executionId, flavour));
    await frontend.send(sync);
    expect(await frontend.finished(sync.executionId)).toMatchObject({ status: 'cancelled' });
    await frontend.send(async);
    await until(async () => (await frontend.waiting('async')) === 0 && runtime.running === 0, 'dropped');
    expect(frontend.leaseRequests).toEqual([]);
    expect(frontend.payloads.fetches).toBe(0);
  });
});

describe('messages that cannot be read', () => {
  it.each([
    ['of a version that is not known', { v: 99 }],
    ['without a function', { functionSha256: 'x' }],
  ])('%s become dead letters, and the next is run', async (_name, headers) => {
    await frontend.runtime();
    const message = encodeRequest(frontend.request(add), Buffer.alloc(0));
    await publish({ ...message, headers: { ...message.headers, ...headers } });
    expect((await frontend.finished(await frontend.send(frontend.request(add), [1, 1]))).status).toBe(
      'succeeded',
    );
    await until(async () => (await frontend.broker.inspect(queues.dead))?.messages === 1, 'a dead letter');
  });

  it('does not fall over nonsense on the control queue', async () => {
    await frontend.runtime();
    await publish({ ...encodeDrain('r1'), content: Buffer.from('{') });
    expect((await frontend.finished(await frontend.send(frontend.request(add), [1, 1]))).status).toBe(
      'succeeded',
    );
  });
});

describe('starting', () => {
  it('says that it takes executions only once code can be had', async () => {
    frontend.payloads.refusal = new AppError('edge-overloaded', 'no edge frontend answers');
    const runtime = await frontend.runtime();
    await until(() => runtime.notReady() === 'no edge frontend answers', 'it to say why');
    expect(runtime.phase).toBe('starting');
    expect(await frontend.broker.inspect(queues.execute(flavour, 'sync'))).toBeUndefined();
    frontend.payloads.refusal = undefined;
    await until(() => runtime.notReady() === undefined, 'it to take executions');
    const id = await frontend.send(frontend.request(add), [20, 22]);
    expect(decodeAnswer((await frontend.finished(id)).result)).toBe(42);
  }, 20_000);

  it('is given up when the edge frontend refuses the credential', async () => {
    frontend.payloads.refusal = new AppError('forbidden', 'the credential is another');
    await expect(frontend.runtime()).rejects.toThrow('the credential is another');
  });
});

describe('stopping', () => {
  it('lets what runs finish, and gives the rest back', async () => {
    const runtime = await frontend.runtime();
    const running = await frontend.send(frontend.request(slow), [400]);
    await until(() => runtime.running === 1, 'running');
    const held = await frontend.send(frontend.request(add));
    await frontend.send(frontend.request(add, { mode: 'async' }));
    await runtime.stop();
    expect((await frontend.finished(running)).status).toBe('succeeded');
    expect(frontend.finishedOf(held)).toBeUndefined();
    expect([await frontend.waiting('sync'), await frontend.waiting('async')]).toEqual([1, 1]);
    expect(runtime.notReady()).toBe('the runtime is stopped');
  });

  it('hands a call that it held and did not start to another runtime, which runs it', async () => {
    const runtime = await frontend.runtime();
    const running = await frontend.send(frontend.request(slow, { mode: 'async' }), [400]);
    await until(() => runtime.running === 1, 'running');
    const held = await frontend.send(frontend.request(add), [20, 22]);
    await until(async () => (await frontend.waiting('sync')) === 0, 'held');
    const stopping = runtime.stop();
    await frontend.runtime();
    const end = await frontend.finished(held);
    expect([end.status, decodeAnswer(end.result)]).toEqual(['succeeded', 42]);
    await stopping;
    expect((await frontend.finished(running)).status).toBe('succeeded');
  });

  it('does not wait longer than a stop may take for a drain that may take long', async () => {
    const runtime = await frontend.runtime({ drainMs: 200 });
    const source = 'export default () => { gantry.progress(1); for (;;); };';
    await frontend.send(frontend.request(source, { mode: 'async', runMs: 60_000 }));
    await until(() => frontend.results.some(({ kind }) => kind === 'progress'), 'running');
    const draining = runtime.drain({ timeoutMs: 60_000 });
    expect([runtime.phase, runtime.running]).toEqual(['draining', 1]);
    await runtime.stop();
    await draining;
    expect(await frontend.waiting('async')).toBe(1);
  });

  it('gives a held call back as it came when the broker takes no copy: then it may have run', async () => {
    const broker: Broker = frontend.server.connect();
    const leaving = await frontend.runtime({ drainMs: 100 }, broker);
    await frontend.send(frontend.request(slow, { mode: 'async', runMs: 60_000 }), [60_000]);
    await until(() => leaving.running === 1, 'running');
    const held = await frontend.send(frontend.request(add), [1, 2]);
    await until(async () => (await frontend.waiting('sync')) === 0, 'held');
    const publishAnyway = broker.publish.bind(broker);
    broker.publish = (message, options) =>
      message.exchange === 'requests.v1' ? Promise.resolve('rejected') : publishAnyway(message, options);
    await frontend.runtime();
    await leaving.stop();
    expect(errorOf(await frontend.finished(held))).toMatch(/^worker-lost: /);
  });

  it('gives back what does not finish in time, and leaves no process', async () => {
    const runtime = await frontend.runtime({ drainMs: 300 });
    const source = 'export default () => { gantry.progress(1); for (;;); };';
    const id = await frontend.send(frontend.request(source, { mode: 'async', runMs: 60_000 }));
    await until(() => frontend.results.some(({ kind }) => kind === 'progress'), 'running');
    await runtime.stop();
    expect(frontend.finishedOf(id)).toBeUndefined();
    expect(await frontend.waiting('async')).toBe(1);
  });

  it('by a control message: a drained runtime takes nothing more', async () => {
    const runtime = await frontend.runtime();
    const source = 'export default () => process.pid;';
    const pid = Number(
      decodeAnswer((await frontend.finished(await frontend.send(frontend.request(source)))).result),
    );
    await publish(encodeDrain('r1'));
    await until(() => runtime.notReady() === 'the runtime is draining', 'draining');
    await until(
      async () => (await frontend.broker.inspect(queues.execute(flavour, 'sync')))?.consumers === 0,
      'no consumer',
    );
    await frontend.send(frontend.request(add));
    expect(await frontend.waiting('sync')).toBe(1);
    await runtime.stop();
    expect(isRunning(pid)).toBe(false);
  });

  it('refuses to start at a level that it does not have', async () => {
    await expect(frontend.runtime({ isolation: 'process', isProduction: true })).rejects.toThrow(
      'isolation level "process" cannot be had',
    );
  });
});
