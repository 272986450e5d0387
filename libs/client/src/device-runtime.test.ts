import { afterEach, describe, expect, it } from '@jest/globals';
import { problemReply, unusedUrl } from './fake-peer.fixture.js';
import { startFakePlatform } from './fake-platform.fixture.js';
import { DeviceRuntime, type DeviceRuntimeOptions, type GantryError, pythonFunction } from './index.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function start(
  platformOptions: Parameters<typeof startFakePlatform>[0] = {},
  deviceOptions: Partial<DeviceRuntimeOptions> = {},
) {
  const platform = await startFakePlatform(platformOptions);
  stops.push(platform.stop);
  const device = await DeviceRuntime.init({
    endpoint: platform.cloud.url,
    credentials: { name: 'ada', password: 'a password' },
    requirements: { FLAVOUR: 'Nature', GEOLOCATION: '43.05,-2.53' },
    ...deviceOptions,
  });
  return { platform, device };
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error('it should have failed');
    },
    (error: unknown) => error as GantryError,
  );
const add = (a: number, b: number) => a + b;
const executesOf = (peer: { calls(): string[] } | undefined) =>
  peer?.calls().filter((call) => call.endsWith('/execute')).length;

describe('init', () => {
  it('signs in, stores the requirements and takes the first cluster', async () => {
    const { platform, device } = await start({ edges: 2 });
    expect(platform.requirements.get(device.requirementId)).toEqual({
      FLAVOUR: 'Nature',
      GEOLOCATION: '43.05,-2.53',
    });
    expect(device.edgeUrl).toBe(platform.edges[0]?.url);
    expect(platform.cloud.calls()).toEqual([
      'POST /v1/authenticate',
      'POST /v1/app_requirements',
      'GET /v1/app_requirements/1/ec_fe',
    ]);
  });

  it('waits out refusals for now, and stores the requirements once', async () => {
    let refusals = 2;
    const { platform } = await start({
      cloud: ({ path }) => {
        if (!path.endsWith('/ec_fe') || refusals === 0) return undefined;
        refusals -= 1;
        return problemReply(503, 'store-unavailable', { retry_after_ms: 5 });
      },
    });
    expect(platform.requirements.size).toBe(1);
  });

  it('rejects when no cluster fits, or the platform is not there', async () => {
    const refused = start({
      cloud: ({ path }) => (path.endsWith('/ec_fe') ? problemReply(404, 'cluster-not-found') : undefined),
    });
    expect(await failureOf(refused)).toMatchObject({ code: 'cluster-not-found' });
    const endpoint = await unusedUrl();
    const absent = DeviceRuntime.init({ endpoint, credentials: { token: 't' }, retryForMs: 0 });
    expect(await failureOf(absent)).toMatchObject({ code: 'unreachable' });
  });
});

describe('call', () => {
  it('runs a function at the edge and gives its typed value', async () => {
    const { device } = await start();
    const result = await device.call(add, 2, 40);
    expect(result).toEqual({ ok: true, retCode: 0, value: 42, err: null, executionId: 'fe.0' });
    // Compiles only if the value is known to be a number.
    if (result.ok) expect(result.value.toFixed(1)).toBe('42.0');
    const text = await device.call(async (words: string[]) => words.join(' '), ['hello', 'edge']);
    expect(text.value).toBe('hello edge');
  });

  it('takes the source of a module, or the id of a stored function', async () => {
    const { device, platform } = await start();
    expect((await device.call('export default (a) => a * 2', 4)).value).toBe(8);
    const [id = 0] = platform.functions.keys();
    expect((await device.call({ id }, 5)).value).toBe(10);
  });

  it('uploads a function once for any number of calls, with its name', async () => {
    const { device, platform } = await start();
    await Promise.all([device.call(add, 1, 2), device.call(add, 3, 4)]);
    await device.call(add, 5, 6);
    const uploads = platform.cloud.requests.filter(({ path }) => path === '/v1/daas/upload');
    expect(uploads).toHaveLength(1);
    expect(JSON.parse(uploads[0]?.body ?? '')).toMatchObject({
      LANG: 'JS',
      NAME: 'add',
      FC_HASH: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('a failed upload is forgotten, so that the next call uploads again', async () => {
    const { device, platform } = await start({
      cloud: ({ path }) => (path === '/v1/daas/upload' ? problemReply(403, 'quota-exceeded') : undefined),
    });
    expect(await failureOf(device.call(add, 1, 2))).toMatchObject({ code: 'quota-exceeded' });
    platform.overrides.cloud = undefined;
    expect((await device.call(add, 1, 2)).value).toBe(3);
  });

  it('a failing function is a result, not an exception', async () => {
    const { device } = await start();
    const result = await device.call(() => {
      throw new Error('no data');
    });
    expect(result).toMatchObject({ ok: false, retCode: -1, value: undefined, code: 'function-error' });
    expect(result.err).toContain('no data');
  });

  it('a result in the encoding of another language is an error', async () => {
    const { device } = await start({
      edge: () => ({ status: 200, json: { ret_code: 0, res: 'gAVOLg==', err: null } }),
    });
    expect(await failureOf(device.call({ id: 1 }))).toMatchObject({ code: 'unreadable-result' });
  });

  it('stores functions and requirements again when somebody removed them', async () => {
    const { device, platform } = await start();
    await device.call(add, 1, 2);
    platform.functions.clear();
    platform.requirements.clear();
    expect((await device.call(add, 2, 3)).value).toBe(5);
    expect(platform.requirements.get(device.requirementId)).toMatchObject({ FLAVOUR: 'Nature' });
  });

  it('the id of a function that does not exist is document-not-found, asked twice at most', async () => {
    const { device, platform } = await start();
    expect(await failureOf(device.call({ id: 99 }))).toMatchObject({ code: 'document-not-found' });
    expect(executesOf(platform.edges[0])).toBe(2);
  });
});

describe('trouble', () => {
  it('a refusal for now is tried again after the time it names', async () => {
    let refusals = 3;
    const { device, platform } = await start({
      edge: () => {
        if (refusals === 0) return undefined;
        refusals -= 1;
        return problemReply(
          refusals === 1 ? 429 : 503,
          refusals === 1 ? 'too-many-concurrent' : 'queue-full',
          { retry_after_ms: 5 },
        );
      },
    });
    expect((await device.call(add, 1, 2)).value).toBe(3);
    expect(executesOf(platform.edges[0])).toBe(4);
  });

  it('is thrown when it lasts longer than retryForMs, and at once when the wait would', async () => {
    const { device, platform } = await start(
      { edge: () => problemReply(503, 'no-runtime-for-flavour', { retry_after_ms: 60_000 }) },
      { retryForMs: 200 },
    );
    expect(await failureOf(device.call(add, 1, 2))).toMatchObject({
      code: 'no-runtime-for-flavour',
      retryAfterMs: 60_000,
    });
    expect(executesOf(platform.edges[0])).toBe(1);
  });

  it.each([504, 422, 404, 500])('status %i is not tried again', async (status) => {
    const code = {
      504: 'queue-timeout',
      422: 'invalid-request',
      404: 'execution-not-found',
      500: 'internal-error',
    }[status];
    const { device, platform } = await start({ edge: () => problemReply(status, code ?? '') });
    expect(await failureOf(device.call(add, 1, 2))).toMatchObject({ status, code });
    expect(executesOf(platform.edges[0])).toBe(1);
  });

  it('a cluster that cannot be reached is left for the next, which stays in use', async () => {
    const { device, platform } = await start({ edges: 3 });
    await platform.edges[0]?.stop();
    await platform.edges[1]?.stop();
    expect((await device.call(add, 1, 2)).value).toBe(3);
    expect(device.edgeUrl).toBe(platform.edges[2]?.url);
    expect((await device.call(add, 2, 2)).value).toBe(4);
    expect(executesOf(platform.edges[2])).toBe(2);
  });

  it('a cluster without a runtime is left for the next at once', async () => {
    let firstPort = '';
    const { device, platform } = await start({
      edges: 2,
      edge: ({ headers }) =>
        headers.host?.endsWith(firstPort)
          ? problemReply(503, 'no-runtime-for-flavour', { retry_after_ms: 60_000 })
          : undefined,
    });
    firstPort = platform.edges[0]?.url.split(':')[2] ?? '';
    expect((await device.call(add, 1, 2)).value).toBe(3);
    expect(device.edgeUrl).toBe(platform.edges[1]?.url);
  });

  it('after the last cluster the platform is asked again', async () => {
    const { device, platform } = await start();
    const gone = platform.edges[0];
    await gone?.stop();
    const replacement = await startFakePlatform();
    stops.push(replacement.stop);
    platform.overrides.cloud = ({ path }) =>
      path.endsWith('/ec_fe')
        ? {
            status: 200,
            json: [{ ID: 1, NAME: 'new', TEMPLATE: { EDGE_CLUSTER_FRONTEND: replacement.edges[0]?.url } }],
          }
        : undefined;
    replacement.requirements.set(device.requirementId, {});
    for (let id = 1; id < 9; id += 1) replacement.functions.set(id, 'export default (a, b) => a + b');
    expect((await device.call(add, 4, 5)).value).toBe(9);
    expect(device.edgeUrl).toBe(replacement.edges[0]?.url);
  });

  it('with the cloud away too, the known clusters are tried until one is back', async () => {
    const { device, platform } = await start();
    await device.call(add, 1, 1);
    let refusals = 2;
    platform.overrides.edge = () => {
      refusals -= 1;
      return refusals >= 0 ? 'break' : undefined;
    };
    await platform.cloud.stop();
    expect((await device.call(add, 4, 5)).value).toBe(9);
  });

  it('a call whose connection broke is repeated, unless it must not run twice', async () => {
    let breaks = 1;
    const edge = () => {
      breaks -= 1;
      return breaks >= 0 ? ('break' as const) : undefined;
    };
    const { device } = await start({ edge });
    expect((await device.call(add, 1, 2)).value).toBe(3);
    breaks = 1;
    const { device: careful, platform } = await start({ edge }, { isRepeatable: false });
    expect(await failureOf(careful.call(add, 1, 2))).toMatchObject({ code: 'unreachable', isUnsent: false });
    expect(executesOf(platform.edges[0])).toBe(1);
    await platform.edges[0]?.stop();
    expect(await failureOf(careful.callWith({ signal: AbortSignal.timeout(300) }, add, 1, 2))).toMatchObject({
      name: 'TimeoutError',
    });
  });

  it('an aborted signal ends a call, also while it waits to be tried again', async () => {
    const { device } = await start({ edge: () => problemReply(503, 'queue-full', { retry_after_ms: 5000 }) });
    const reason = new Error('enough');
    const abort = new AbortController();
    const call = failureOf(device.callWith({ signal: abort.signal }, add, 1, 2));
    setTimeout(() => abort.abort(reason), 50);
    expect(await call).toBe(reason);
  });

  it('a time limit of one attempt is kept', async () => {
    const { device } = await start({ edge: () => 'hang' });
    expect(await failureOf(device.callWith({ timeoutMs: 50 }, add, 1, 2))).toMatchObject({ code: 'timeout' });
  });
});

describe('callAsync', () => {
  it('gives a handle with the result, the status and the log', async () => {
    const { device } = await start();
    const handle = await device.callAsync(add, 20, 22);
    expect(handle.id).toBe('async.0');
    const result = await handle.result({ timeoutMs: 5000 });
    expect(result).toEqual({ ok: true, retCode: 0, value: 42, err: null, executionId: 'async.0' });
    expect(await handle.status()).toBe('succeeded');
    expect(await handle.logs()).toBe('log of async.0');
  });

  it('waits by long polls, through refusals and broken connections', async () => {
    const { device, platform } = await start();
    const handle = await device.callAsync(add, 1, 2);
    const answers = ['running', 'break', 'refused', 'running'];
    const waits: (string | null)[] = [];
    platform.overrides.edge = ({ query }) => {
      waits.push(query.get('wait'));
      const answer = answers.shift();
      if (answer === 'break') return 'break';
      if (answer === 'refused') return problemReply(503, 'store-unavailable', { retry_after_ms: 5 });
      return answer === undefined
        ? undefined
        : { status: 200, json: { execution_id: handle.id, status: answer } };
    };
    expect((await handle.result({ timeoutMs: 10_000 })).value).toBe(3);
    expect(waits).toEqual(['10', '10', '10', '10', '10']);
  });

  it('an end without a run is a result with its code', async () => {
    const { device, platform } = await start();
    const handle = await device.callAsync(add, 1, 2);
    await handle.cancel();
    expect(await handle.result()).toMatchObject({
      ok: false,
      retCode: -1,
      code: 'cancelled',
      err: 'cancelled',
    });
    Object.assign(platform.executions.get(handle.id) ?? {}, { status: 'dead', err: 'lost three times' });
    expect(await handle.result()).toMatchObject({ ok: false, code: 'dead', err: 'lost three times' });
  });

  it('a wait that is over throws timeout and can be taken up again', async () => {
    const { device, platform } = await start();
    const handle = await device.callAsync(add, 1, 2);
    platform.overrides.edge = () => ({ status: 200, json: { execution_id: handle.id, status: 'running' } });
    expect(await failureOf(handle.result({ timeoutMs: 30 }))).toMatchObject({ code: 'timeout' });
    platform.overrides.edge = undefined;
    expect((await handle.result()).value).toBe(3);
    expect(await failureOf(handle.result({ signal: AbortSignal.abort(new Error('left')) }))).toMatchObject({
      message: 'left',
    });
  });
});

describe('requirements', () => {
  it('an update replaces them and chooses a cluster anew', async () => {
    const { device, platform } = await start({ edges: 2 });
    await platform.edges[0]?.stop();
    await device.call(add, 1, 2);
    platform.edges.shift();
    platform.cloud.requests.length = 0;
    await device.updateRequirements({ FLAVOUR: 'Gpu' });
    expect(platform.cloud.calls()).toEqual([
      'PUT /v1/app_requirements/1',
      'GET /v1/app_requirements/1/ec_fe',
    ]);
    expect(platform.requirements.get(1)).toEqual({ FLAVOUR: 'Gpu' });
  });

  it('closing removes them, ends what waits and refuses further calls', async () => {
    const { device, platform } = await start({
      edge: () => problemReply(503, 'queue-full', { retry_after_ms: 5000 }),
    });
    const waiting = failureOf(device.call(add, 1, 2));
    while (executesOf(platform.edges[0]) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await device.close();
    await device.close();
    expect(await waiting).toMatchObject({ code: 'closed' });
    expect(platform.requirements.size).toBe(0);
    expect(await failureOf(device.call(add, 1, 2))).toMatchObject({ code: 'closed' });
  });

  it('device metrics go to the cluster in use', async () => {
    const { device, platform } = await start();
    await device.reportMetrics({ battery: 0.7 });
    expect(platform.edges[0]?.requests.at(-1)).toMatchObject({
      path: '/v1/device_metrics',
      body: '{"battery":0.7}',
    });
  });
});

describe('Python functions', () => {
  const describeText = pythonFunction<
    [text: string, times: number],
    { words: string[]; size: bigint | number }
  >(
    'import re\n\ndef describe(text, times):\n    return {"words": re.findall(r"\\w+", text) * times, "size": len(text) ** times}\n',
  );

  it('are called like others, with typed values, and uploaded once', async () => {
    const { platform, device } = await start();
    const result = await device.call(describeText, 'one two', 2);
    // Compiles only if the value has the type that the function was given.
    expect(result.ok && result.value.words.length).toBe(4);
    expect(result).toMatchObject({ ok: true, value: { words: ['one', 'two', 'one', 'two'], size: 49 } });
    expect((await device.call(describeText, 'abc', 40)).value?.size).toBe(3n ** 40n);
    expect(platform.cloud.calls().filter((call) => call.endsWith('/upload'))).toHaveLength(1);
  });

  it('can be stored ones, and asynchronous', async () => {
    const { device } = await start();
    await device.call(describeText, '', 0);
    const id = 2;
    const stored = await device.call({ id, language: 'PY' }, 'a', 1);
    expect(stored.value).toEqual({ words: ['a'], size: 1 });
    const handle = await device.callAsync(describeText, 'b', 1);
    expect((await handle.result()).value).toEqual({ words: ['b'], size: 1 });
  });

  it('that fail are results; values that are not plain are errors by their name', async () => {
    const { device } = await start();
    const failing = pythonFunction('def fail(a):\n    raise KeyError(a)\n');
    expect(await device.call(failing, 'k')).toMatchObject({
      ok: false,
      err: "function-error: KeyError('k')",
    });
    const dated = pythonFunction('import datetime\ndef now():\n    return datetime.date(2026, 1, 1)\n');
    expect(await failureOf(device.call(dated))).toMatchObject({
      code: 'unreadable-result',
      executionId: expect.stringMatching(/^fe\./),
      detail: expect.stringContaining('a Python object of type datetime.date'),
    });
    expect(await failureOf(device.call(failing, () => 1))).toMatchObject({
      code: 'invalid-parameters',
      detail: expect.stringContaining('is a function'),
    });
    expect(await failureOf(device.call({ id: 1, language: 'C' }))).toMatchObject({
      code: 'unsupported-language',
    });
  });
});
