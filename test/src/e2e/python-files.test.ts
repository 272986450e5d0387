/** Python files through the command line and the TypeScript client, in the Python of the platform. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeviceRuntime, pythonFunction, pythonTuple } from '@gantry/client';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { runGantry } from '../support/command-line.js';
import { type Platform, startPlatform } from '../support/platform.js';

// The first call of a language starts its process.
jest.setTimeout(60_000);

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
}, 90_000);
afterAll(async () => {
  await platform.stop();
});

const folder = mkdtempSync(join(tmpdir(), 'gantry-py-'));
const histogram = `"""Counts words."""
import re
from collections import Counter

WORD = re.compile(r"[a-z']+")


def histogram(text, top=3):
    counts = Counter(WORD.findall(text.lower()))
    return dict(counts.most_common(top))
`;

const push = async (name: string, source: string, ...options: string[]) => {
  writeFileSync(join(folder, name), source);
  const pushed = await runGantry(['functions', 'push', join(folder, name), ...options, '--json'], platform);
  if (pushed.code !== 0) throw new Error(pushed.output);
  return String((JSON.parse(pushed.stdout) as { id: number }).id);
};

describe('gantry functions push and gantry call', () => {
  it('a Python file takes and gives JSON', async () => {
    const id = await push('histogram.py', histogram);
    const text = await runGantry(['call', id, "It isn't what it is, is it?", '2'], platform);
    expect(JSON.parse(text.stdout)).toEqual({ it: 3, is: 2 });
    expect(text.code).toBe(0);
    const json = await runGantry(['call', id, 'a b a', '--json'], platform);
    const answer = JSON.parse(json.stdout) as { execution_id: string };
    expect(answer).toMatchObject({ ret_code: 0, err: null, value: { a: 2, b: 1 } });
    const shown = await runGantry(['executions', 'show', answer.execution_id, '--json'], platform);
    expect(JSON.parse(shown.stdout)).toMatchObject({ function_id: Number(id), status: 'succeeded' });
  });

  it('an asynchronous call shows its value too', async () => {
    const id = await push(
      'add.py',
      'def helper(a):\n    return a\n\ndef add(a, b):\n    return helper(a) + b\n',
      '--function',
      'add',
    );
    const accepted = await runGantry(['call', id, '[1]', '[2.0]', '--async', '--json'], platform);
    const { execution_id } = JSON.parse(accepted.stdout) as { execution_id: string };
    const shown = await runGantry(['executions', 'show', execution_id, '--wait', '30', '--json'], platform);
    expect(JSON.parse(shown.stdout)).toMatchObject({ status: 'succeeded', language: 'PY', value: [1, 2] });
  });

  it('an exception is shown with its file and line, and a result that is not plain by its type', async () => {
    const failing = await push('fail.py', 'def fail(x):\n    return 1 / x\n');
    const failed = await runGantry(['call', failing, '0'], platform);
    expect(failed.code).toBe(1);
    expect(failed.output).toMatch(/ZeroDivisionError[\s\S]*fail\.py[^\n]*line 2/);
    expect(failed.output).toMatch(/\nexecution (\S+); what it wrote: npx gantry executions logs \1\n/);
    const today = await push(
      'today.py',
      'import datetime\n\ndef today():\n    return datetime.date(2026, 1, 2)\n',
    );
    const unread = await runGantry(['call', today], platform);
    expect([unread.code, unread.stdout]).toEqual([6, '']);
    expect(unread.output).toMatch(
      /unreadable-result.*a Python object of type datetime\.date, .*return value\.isoformat\(\)/,
    );
    const id = /Execution (\S+) succeeded/.exec(unread.output)?.[1] ?? '';
    const shown = await runGantry(['executions', 'show', id, '--json'], platform);
    expect(JSON.parse(shown.stdout)).toMatchObject({ status: 'succeeded' });
    const json = await runGantry(['--json', 'call', today], platform);
    expect(JSON.parse(json.stdout)).toMatchObject({
      error: { code: 'unreadable-result', execution_id: expect.stringMatching(/./) },
    });
  });
});

it('the TypeScript client calls Python functions with typed values', async () => {
  const device = await DeviceRuntime.init({
    endpoint: platform.cloudUrl,
    credentials: { name: 'admin', password: platform.adminPassword },
    requirements: { FLAVOUR: 'Nature' },
  });
  const shape = pythonFunction<unknown[], [string[], boolean, Uint8Array, Set<number>, bigint]>(
    'def shape(*values):\n    return ([type(v).__name__ for v in values], True, b"\\x00\\xff", {1, 2}, 2 ** 70)\n',
  );
  const result = await device.call(
    shape,
    1,
    1.5,
    'x',
    null,
    [1],
    pythonTuple(1),
    { a: 1 },
    new Uint8Array(1),
  );
  expect(result).toMatchObject({
    ok: true,
    value: [
      ['int', 'float', 'str', 'NoneType', 'list', 'tuple', 'dict', 'bytes'],
      true,
      Uint8Array.from([0, 255]),
      new Set([1, 2]),
      2n ** 70n,
    ],
  });
  await device.close();
});
