/** Devices that speak the wire protocol of the C client: Python text and typed values in protobuf, fixed buffers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  bytesParameter,
  functionText,
  numbersParameter,
  readResponse,
  stringParameter,
} from '@gantry/executor/testing/c-client.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OriginalCClient } from '../support/original-client.js';
import { type Platform, startPlatform } from '../support/platform.js';
import { root } from '../support/processes.js';

let platform: Platform;
let client: OriginalCClient;

const accountOn = ({ cloudUrl, adminPassword }: Platform) => ({
  cloudUrl,
  user: 'admin',
  password: adminPassword,
});

beforeAll(async () => {
  platform = await startPlatform();
  client = await OriginalCClient.start(accountOn(platform), {
    MIN_RENEWABLE_USAGE: 60,
    MAX_LATENCY: 45,
    GEOLOCATION: { latitude: 43.05, longitude: -2.53 },
  });
}, 90_000);

afterAll(() => platform.stop());

describe('the page about C', () => {
  it('has an example with the bytes it speaks of', async () => {
    const page = readFileSync(join(root, 'docs/languages/c.md'), 'utf8');
    const find = (pattern: RegExp) => pattern.exec(page)?.[1] ?? '';
    const source = JSON.parse(find(/fc = (".*");/)) as string;
    const fc = find(/"FC": "(.*)"/);
    const params = JSON.parse(find(/-d '(\[.*\])'/)) as string[];
    expect(fc).toBe(functionText(source));
    expect(params).toEqual([numbersParameter('int32', [6]), numbersParameter('float', [7])]);
    expect(await client.call(fc, source, params)).toEqual(JSON.parse(find(/# (\{"ret_code.*\})/)));
  });
});

/** `device_runtime_call` of a device. */
async function call(source: string, params: readonly string[] = []) {
  const { ret_code, res, err } = await client.call(functionText(source), source, params);
  return { ret_code, err, items: readResponse(res) };
}

describe('a device with the C client', () => {
  it('gets the result of its function', async () => {
    const source = 'def multiply(a, b):\n    return a * b\n';
    expect(await call(source, [numbersParameter('int32', [6]), numbersParameter('int32', [7])])).toEqual({
      ret_code: 0,
      err: null,
      items: [{ kind: 'int64', values: [42n] }],
    });
  });

  it('gets several results, of arrays, text and bytes', async () => {
    const source =
      'def f(xs, name, raw):\n    return sum(xs), name.upper(), raw[::-1], [x > 1 for x in xs]\n';
    const params = [
      numbersParameter('float', [0.5, 1.5]),
      stringParameter('pump'),
      bytesParameter(Buffer.from([1, 2, 3])),
    ];
    expect((await call(source, params)).items).toEqual([
      { kind: 'double', values: [2] },
      { kind: 'string', value: 'PUMP' },
      { kind: 'bytes', value: Buffer.from([3, 2, 1]) },
      { kind: 'bool', values: [false, true] },
    ]);
  });

  it('uploads before each call and gets the same id again', async () => {
    const source = 'def f():\n    return True\n';
    const first = await client.upload(functionText(source), source);
    await call(source);
    expect(await client.upload(functionText(source), source)).toBe(first);
  });

  it.each([
    [
      'raises',
      'def f():\n    raise ValueError("no")\n',
      /^function-error: ValueError: no\n {2}File "function.py", line 2, in f\n/,
    ],
    [
      'returns what it cannot read',
      'def f():\n    return {"a": 1}\n',
      /^result-not-serializable: result 1: a dict/,
    ],
    [
      'returns more than it can read',
      'def f():\n    return list(range(100))\n',
      /^result-too-large: 100 results/,
    ],
    ['does not compile', 'def f(:\n', /^invalid-function: SyntaxError/],
    [
      'raises more than its buffer holds',
      'def f():\n    raise ValueError("\\x01é" * 100_000)\n',
      /^function-error: ValueError: /,
    ],
  ])('gets an empty result and the reason when the function %s', async (_name, source, reason) => {
    const { ret_code, err, items } = await call(source);
    expect([ret_code, items]).toEqual([-1, []]);
    expect(err).toMatch(reason);
    expect((await call('def f():\n    return 1\n')).ret_code).toBe(0);
  });

  it('gets none of the names of another function, which the same device sent before', async () => {
    await call('leaked = 5\ndef f():\n    return leaked\n');
    expect((await call('def g():\n    return "leaked" in globals()\n')).items).toEqual([
      { kind: 'bool', values: [false] },
    ]);
  });
});
