/** Devices that speak the wire protocol of the Python client, with functions pickled by Python itself. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PythonClient } from '@gantry/executor/testing/python-client.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OriginalPythonClient } from '../support/original-client.js';
import { type Platform, startPlatform } from '../support/platform.js';
import { root } from '../support/processes.js';

let platform: Platform;
let python: PythonClient;
let client: OriginalPythonClient;

const accountOn = ({ cloudUrl, adminPassword }: Platform) => ({
  cloudUrl,
  user: 'admin',
  password: adminPassword,
});

beforeAll(async () => {
  python = new PythonClient();
  platform = await startPlatform();
  client = await OriginalPythonClient.start(accountOn(platform));
}, 90_000);

afterAll(async () => {
  await python.stop();
  await platform.stop();
});

/** `call(f, *values)` of a device; `show` says what is wanted of the result. */
async function call(source: string, values = '[]', { on = client, show = 'value' } = {}) {
  const { fc, fcHash, params } = await python.dump(source, values);
  const { ret_code, res, err } = await on.call(await on.upload(fc, fcHash), params);
  return { ret_code, err, shown: await python.show(res, show), res };
}

describe('a device with the Python client', () => {
  it('gets the result of its function', async () => {
    expect(await call('def f(a, b): return {"sum": a + b}', '[2, 40]')).toMatchObject({
      ret_code: 0,
      err: null,
      shown: "{'sum': 42}",
    });
  });

  it('gets exactly the three keys it reads', async () => {
    const { fc, fcHash, params } = await python.dump('def f(a): return a', '["x"]');
    const answer = await client.execute(await client.upload(fc, fcHash), params);
    expect(answer.status).toBe(200);
    expect(Object.keys(JSON.parse(answer.body))).toEqual(['ret_code', 'res', 'err']);
  });

  it('is warm from the second call on: what the function keeps is there', async () => {
    const counter = 'calls = []\ndef f():\n  calls.append(1)\n  return len(calls)';
    expect([(await call(counter)).shown, (await call(counter)).shown]).toEqual(['1', '2']);
  });

  it('gets its own function although another one has the same FC_HASH', async () => {
    const one = await python.dump('def f(a): return a + 1', '[1]');
    const other = await python.dump('def f(a): return a + 1000', '[1]');
    expect(one.fcHash).toBe(other.fcHash);
    const ids = [await client.upload(one.fc, one.fcHash), await client.upload(other.fc, other.fcHash)];
    expect(ids[0]).not.toBe(ids[1]);
    const results = await Promise.all(ids.map((id) => client.call(id, one.params)));
    expect(await Promise.all(results.map(({ res }) => python.show(res)))).toEqual(['2', '1001']);
    expect(await client.upload(one.fc, one.fcHash)).toBe(ids[0]);
  });

  it('sends and gets arrays of 20 MB', async () => {
    const answer = await call(
      'import numpy as np\ndef f(a): return np.sqrt(a)',
      '[np.full(2_500_000, 16.0)]',
      { show: '(value.nbytes, value.min(), value.max())' },
    );
    expect(answer).toMatchObject({ ret_code: 0, shown: '(20000000, 4.0, 4.0)' });
  }, 60_000);

  it.each([
    [
      'raises',
      'def f():\n  return {}["k"]',
      /^function-error: KeyError: 'k'\n {2}File "device.py", line 2, in f$/,
    ],
    [
      'returns a generator',
      'def f(): yield 1',
      /^result-not-serializable: the function returned a generator/,
    ],
    [
      'misses a module',
      'def f():\n  import no_such_module_here',
      /^function-error: ModuleNotFoundError: No module named 'no_such_module_here'/,
    ],
    ['is no function', 'f = 5', /^invalid-function: /],
    ['ends its process', 'def f():\n  import os\n  os._exit(0)', /^worker-lost: /],
  ])('gets a pickle of None and the reason when the function %s', async (_name, source, reason) => {
    const { ret_code, res, shown, err } = await call(source);
    expect([ret_code, res, shown]).toEqual([-1, 'gAVOLg==', 'None']);
    expect(err).toMatch(reason);
    expect(await call('def f(): return 1')).toMatchObject({ ret_code: 0, shown: '1' });
  });

  it('gets execution-timeout after the time of its requirement', async () => {
    const hurried = await OriginalPythonClient.start(accountOn(platform), {
      MAX_FUNCTION_EXECUTION_TIME: 0.5,
    });
    const answer = await call('def f():\n  while True: pass', '[]', { on: hurried });
    expect(answer).toMatchObject({
      ret_code: -1,
      res: 'gAVOLg==',
      err: 'execution-timeout: stopped after 500 ms',
    });
  });

  it('is understood with every shape of requirement that clients send', async () => {
    const shapes = [
      { MAX_LATENCY: 45, GEOLOCATION: { latitude: 43.05, longitude: -2.53 }, MIN_ENERGY_RENEWABLE_USAGE: 75 },
      { GEOLOCATION: '43.05,-2.53', ID: 'device-1', IS_CONFIDENTIAL: false, PROVIDERS: null },
      { GEOLOCATION: 'IKERLAN ARRASATE/MONDRAGON 20500', SCHEDULING_POLICY: 'unknown' },
    ];
    for (const shape of shapes) {
      const on = await OriginalPythonClient.start(accountOn(platform), shape);
      expect((await call('def f(): return 7', '[]', { on })).shown).toBe('7');
    }
  });
});

describe('the page about Python', () => {
  it('has an example that runs as it stands', async () => {
    const page = readFileSync(join(root, 'docs/languages/python.md'), 'utf8');
    const script = /```python\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const expected = /It prints `(.*)`\./.exec(page)?.[1];
    const { cloudUrl, adminPassword } = platform;
    const env = { GANTRY_CLOUD_URL: cloudUrl, GANTRY_USER: 'admin', GANTRY_PASSWORD: adminPassword };
    const folder = mkdtempSync(join(tmpdir(), 'gantry-device-'));
    const file = join(folder, 'device.py');
    writeFileSync(file, script);
    const { stdout } = await promisify(execFile)('/usr/bin/python3', [file], { env, timeout: 60_000 });
    rmSync(folder, { recursive: true });
    expect(stdout.trim()).toBe(expected);
  });
});

describe('code that comes with a pickle', () => {
  it('runs where functions run, not in the platform', async () => {
    const source = `class Trap:
  def __reduce__(self): return exec, ("import os; trap = os.getpid(), sorted(os.environ)", globals())
def f(trap):
  import os
  return os.getpid(), [name for name in os.environ if 'GANTRY' in name]`;
    const { ret_code, shown } = await call(source, '[Trap()]');
    expect([ret_code, shown]).toEqual([0, expect.stringMatching(/^\(\d+, \[\]\)$/)]);
    expect(shown).not.toContain(`(${platform.pid},`);
  });
});
