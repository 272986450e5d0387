import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PythonSandbox, startPythonSandbox } from '../../testing/python-sandbox.js';
import { isRunning, until } from '../../testing/sandbox-fixture.js';

describe.each(['process', 'sandbox'] as const)('at isolation level %s', (isolation) => {
  let python: PythonSandbox;
  beforeAll(async () => {
    python = await startPythonSandbox({ isolation });
  }, 60_000);
  afterAll(() => python.stop());

  describe('what a function leaves', () => {
    const count = 'calls = []\ndef f():\n  calls.append(1)\n  return len(calls)';

    it('is seen by its own next call, and by no other owner', async () => {
      expect((await python.run(count, { owner: 'a' })).said).toBe('1');
      expect((await python.run(count, { owner: 'a' })).said).toBe('2');
      expect((await python.run(count, { owner: 'b' })).said).toBe('1');
    });

    it('is not seen by another function: built-ins and modules it changed', async () => {
      const patch =
        'def f():\n  import builtins, math, os\n  builtins.len = builtins.sum = builtins.map = lambda *x: 99\n  math.pi = 3\n  return len([]), math.pi, os.getpid()';
      const look = 'def f():\n  import math\n  return len([]), math.pi > 3.14';
      expect((await python.run(patch)).said).toMatch(/^\(99, 3, \d+\)$/);
      expect((await python.run(patch)).said).toMatch(/^\(99, 3, \d+\)$/);
      expect((await python.run(look)).said).toBe('(0, True)');
    });

    it('is gone in a call that asked for a fresh process', async () => {
      expect((await python.run(count, { owner: 'fresh' })).said).toBe('1');
      expect((await python.run(count, { owner: 'fresh', isFresh: true })).said).toBe('1');
      expect((await python.run(count, { owner: 'fresh' })).said).toBe('2');
    });

    it('does not harm the frames: json, os and binascii changed', async () => {
      const source = `def f():
      import binascii, io, json, os, struct, threading
      def broken(*a, **k): raise RuntimeError('changed')
      for module, names in ((json, 'dumps loads'), (os, 'read write writev readv'), (binascii, 'b2a_base64 a2b_base64')):
        for name in names.split(): setattr(module, name, broken)
      return 'fine'`;
      expect((await python.run(source)).said).toBe("'fine'");
      expect((await python.run(source)).said).toBe("'fine'");
    });
  });

  describe('what it prints is the log', () => {
    it('from Python, through descriptors and from C, in order', async () => {
      const source = `def f():
      import ctypes, os, sys
      print('one', end='')
      os.write(1, b' two\\n')
      print('three', file=sys.stderr)
      ctypes.CDLL(None).printf(b'four\\n')
      sys.stdout.buffer.write(b'five\\n')
      print('six \\ud800')`;
      expect((await python.run(source)).log).toBe('one two\nthree\nfour\nfive\nsix \\ud800\n');
    });

    it('and of one call only, also when the function fails', async () => {
      const source = "def f(a):\n  print('call', a)\n  return 1 / a";
      expect((await python.run(source, { values: '[0]' })).log).toBe('call 0\n');
      expect((await python.run(source, { values: '[1]' })).log).toBe('call 1\n');
    });

    it.each([
      ['Python', "def f():\n  for _ in range(20_000): print('x' * 100)\n  return 'done'", "'done'"],
      [
        'a descriptor',
        "def f():\n  import os\n  try:\n    while True: os.write(1, b'y' * 1000)\n  except BlockingIOError: return 'full'",
        "'full'",
      ],
    ])('cut to its bound when a flood comes from %s', async (_name, source, expected) => {
      const { said, log } = await python.run(source);
      expect(said).toBe(expected);
      expect(log.length).toBe(64 * 1024 + '\n[log truncated]\n'.length);
      expect(log.endsWith('\n[log truncated]\n')).toBe(true);
    });

    it('cut to less when the call says so', async () => {
      expect((await python.run("def f(): print('0123456789')", { logBytes: 4 })).log).toBe(
        '0123\n[log truncated]\n',
      );
    });
  });

  describe('deadlines', () => {
    it.each([
      ['sleeps', 'def f():\n  import time\n  print("before")\n  time.sleep(60)'],
      ['loops', 'def f():\n  print("before")\n  while True: pass'],
      [
        'waits for a lock',
        'def f():\n  import threading\n  print("before")\n  a = threading.Lock()\n  a.acquire()\n  a.acquire()',
      ],
      [
        'swallows whatever is raised',
        'def f():\n  print("before")\n  def g():\n    try:\n      while True: pass\n    except BaseException: g()\n  while True:\n    try: g()\n    except BaseException: pass',
      ],
      [
        'loops while it is pickled',
        'class C:\n  def __reduce__(s):\n    while True: pass\ndef f():\n  print("before")\n  return C()',
      ],
      [
        'loops while its exception is read',
        'class E(Exception):\n  def __str__(s):\n    while True: pass\ndef f():\n  print("before")\n  raise E()',
      ],
    ])('end a function that %s, and keep its log', async (_name, source) => {
      const { said, log } = await python.run(source, { runMs: 300 });
      expect([said, log]).toEqual(['execution-timeout: stopped after 300 ms', 'before\n']);
      expect((await python.run('def f(): return 1')).said).toBe('1');
    });

    it('end one that does not let Python run at all, from outside', async () => {
      const source = 'def f():\n  import re\n  re.match("(a+)+$", "a" * 64 + "b")';
      expect((await python.run(source, { runMs: 300 })).said).toBe('execution-timeout: stopped after 300 ms');
    });

    it('end one that does so while it is unpickled', async () => {
      const source =
        'class C:\n  def __reduce__(s): return eval, ("[0 for x in iter(int, 1)]",)\ndef f(c): pass';
      expect((await python.run(source, { values: '[C()]', runMs: 300 })).said).toBe(
        'execution-timeout: stopped after 300 ms',
      );
    });

    it('are near enough to be used', async () => {
      const source = 'def f():\n  import gantry, time\n  return 0 < gantry.deadline - time.time() <= 5';
      expect((await python.run(source, { runMs: 5000 })).said).toBe('True');
    });

    it('replace the process, so that nothing half done is met again', async () => {
      const source =
        'calls = []\ndef f(a):\n  import time\n  calls.append(1)\n  time.sleep(a)\n  return len(calls)';
      const run = async (seconds: number) =>
        (await python.run(source, { values: `[${seconds}]`, owner: 'late', runMs: 300 })).said;
      expect([await run(0), await run(0)]).toEqual(['1', '2']);
      expect(await run(5)).toBe('execution-timeout: stopped after 300 ms');
      expect(await run(0)).toBe('1');
    });
  });

  describe('a cancellation', () => {
    it('interrupts the function', async () => {
      const { fc } = await python.client.dump(
        'def f():\n  import time\n  print("started", flush=True)\n  time.sleep(60)',
      );
      const code = Buffer.from(fc, 'base64');
      const process = await python.pool.acquire({ language: 'PY', owner: 'cancel', functionSha256: 'c' });
      const running = process.run({
        executionId: 'f1.2',
        language: 'PY',
        functionSha256: 'c',
        parameters: Buffer.from('[]'),
        runMs: 30_000,
        resultBytes: 1000,
        logBytes: 1000,
        isFresh: false,
        loadCode: () => Promise.resolve(code),
      });
      setTimeout(() => process.abort(), 200);
      const outcome = await running;
      expect(outcome).toMatchObject({ kind: 'failed', code: 'cancelled', text: 'stopped on request' });
      expect(outcome.log.toString()).toBe('started\n');
      expect(process.isDead).toBe(true);
      python.pool.release(process);
    });
  });

  describe('import gantry', () => {
    it('tells of the execution, logs and reports progress', async () => {
      const seen: number[] = [];
      const source = `def f():
      import gantry
      gantry.progress(0.25)
      gantry.progress(0.5)
      gantry.progress(7)
      gantry.log('of', gantry.execution_id)
      return gantry.execution_id`;
      const { said, log } = await python.run(source, { onProgress: (perMille) => seen.push(perMille) });
      expect([said, log, seen]).toEqual(["'f1.0190'", 'of f1.0190\n', [250]]);
    });
  });

  describe('the process', () => {
    it('has no environment of the platform, no input, and cannot leave a copy of itself', async () => {
      const source = `def f():
      import os, sys
      try: ended = os.waitstatus_to_exitcode(os.waitpid(os.fork(), 0)[1])
      except PermissionError: ended = 1
      return sorted(os.environ), sys.stdin.read(), ended, sys.argv`;
      const { said } = await python.run(source);
      expect(said).toMatch(/^\(\[('HOME', )?'LANG', .*'TZ'\], '', 1, \[''\]\)$/);
      expect(said).not.toContain('GANTRY');
    });

    it('has threads, within the memory of the function', async () => {
      const source = `def f():
        from concurrent.futures import ThreadPoolExecutor
        from threading import Barrier
        meet = Barrier(32)
        with ThreadPoolExecutor(32) as pool: return sum(pool.map(lambda n: (meet.wait(), n)[1], range(32)))`;
      expect((await python.run(source)).said).toBe('496');
    });

    it('has none of the worker’s own names in the way of the function’s', async () => {
      const source = `def f():
      import importlib.util, sys
      return [importlib.util.find_spec(n) is None for n in ('main', 'frames', 'worker')], sorted(vars(sys.modules['__main__']))[:3]`;
      expect((await python.run(source)).said).toBe(
        "([True, True, True], ['__doc__', '__loader__', '__name__'])",
      );
    });
  });
});

describe('in the sandbox a function in Python', () => {
  let python: PythonSandbox;
  beforeAll(async () => {
    python = await startPythonSandbox({ isolation: 'sandbox' });
  }, 60_000);
  afterAll(() => python.stop());

  it.each([
    ['opens no socket', 'import socket\n  socket.socket()', /^function-error: PermissionError/],
    [
      'reaches no name',
      'import socket\n  socket.create_connection(("localhost", 5672), 2)',
      /^function-error: /,
    ],
    ['reads no secret', 'open("/etc/shadow").read()', /^function-error: (FileNotFound|Permission)Error/],
    [
      'starts no program',
      'import subprocess\n  subprocess.run(["/bin/true"])',
      /^function-error: (PermissionError|BlockingIOError)/,
    ],
    // What the C library says when it could not start one.
    ['starts no shell', 'import os\n  return os.waitstatus_to_exitcode(os.system("true"))', /^127$/],
    [
      'has no workers of multiprocessing',
      'import multiprocessing\n  multiprocessing.get_context("fork").Process(target=print).start()',
      /^function-error: PermissionError/,
    ],
    [
      'sees no other process',
      'import os\n  return [name for name in os.listdir("/proc") if name.isdigit()]',
      /^\['1'(, '2')?\]$/,
    ],
    [
      'writes nothing beside its program',
      'open("/usr/x", "w")',
      /^function-error: (OSError|PermissionError)/,
    ],
  ])('%s', async (_name, body, expected) => {
    expect((await python.run(`def f():\n  ${body}`)).said).toMatch(expected);
  });

  it('does not run on for ever between calls, however often it is called meanwhile', async () => {
    const spin = `calls = []
def f():
  import hashlib, threading, time
  def loop():
    while True: hashlib.pbkdf2_hmac('sha256', b'word', b'salt', 100000)
  if not calls:
    for _ in range(3): threading.Thread(target=loop, daemon=True).start()
  calls.append(1)
  time.sleep(0.12)
  return len(calls)`;
    const call = async () => (await python.run(spin, { owner: 'spinner' })).said;
    expect([await call(), await call()]).toEqual(['1', '2']);
    for (let turn = 0, said = ''; said !== '1'; turn += 1) {
      // Never a failure: the process ends between calls.
      if (turn > 200 || !/^\d*$/.test(said)) throw new Error(`after ${turn} calls: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 700));
      said = await call();
    }
  }, 180_000);

  it('keeps what it writes to /tmp to itself', async () => {
    const write = 'def f():\n  open("/tmp/mine", "w").write("x")\n  import os\n  return os.listdir("/tmp")';
    expect((await python.run(write)).said).toBe("['mine']");
    expect((await python.run('def f():\n  import os\n  return os.listdir("/tmp")')).said).toBe('[]');
  });
});

describe('a process of Python', () => {
  it.each(['process', 'sandbox'])(
    'does not outlive a supervisor that was killed, although it does not let Python run: level %s',
    async (isolation) => {
      const fixture = new URL('../../testing/python-sandbox.js', import.meta.url).href;
      const source = 'def f():\\n  import re\\n  re.match("(a+)+$", "a" * 64 + "b")';
      const program = `const { startPythonSandbox } = await import(${JSON.stringify(fixture)});
        const python = await startPythonSandbox({ isolation: '${isolation}' });
        const endless = python.run('${source}', { runMs: 60000 });
        await python.run('def f(): return 1', { owner: 'b' });
        console.log('running');
        await endless;`;
      const supervisor = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(supervisor.stdout, 'data');
      const pids = descendantsOf(supervisor.pid ?? 0);
      supervisor.kill('SIGKILL');
      await until(() => pids.every((pid) => !isRunning(pid)), 'all of its processes are gone');
      expect(pids.length).toBeGreaterThanOrEqual(3);
    },
    30_000,
  );
});

function descendantsOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .map(Number)
    .filter(Boolean);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}
