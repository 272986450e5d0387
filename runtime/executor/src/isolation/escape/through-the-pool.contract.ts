import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pythonRuntime } from '../../languages/python/python-runtime.js';
import { PythonClient } from '../../testing/python-client.js';
import { resultOf, type SandboxFixture, startSandbox } from '../../testing/sandbox-fixture.js';
import type { IsolationLevel } from '../isolation.js';

/** What functions that mean harm come to, as their callers see it; after each the next call works. */
export function describeHarmfulJavaScript(level: IsolationLevel): void {
  describe(`at level ${level}, a JavaScript function that`, () => {
    let sandbox: SandboxFixture;
    beforeAll(async () => {
      sandbox = await startSandbox({ isolation: level });
    }, 60_000);
    afterAll(() => sandbox.stop());

    it.each([
      [
        'fills ten gigabytes of heap',
        'export default () => { const a = []; for (;;) a.push(new Array(1e4).fill(Math.random())); };',
        /^out-of-memory: /,
      ],
      [
        'fills ten gigabytes outside of the heap',
        'export default async () => { const a = []; while (a.length < 1250) { a.push(Buffer.alloc(8e6, 1)); await 0; } };',
        /^out-of-memory: the process of the function used more than 300 MiB/,
      ],
      [
        'fills them in one go, without a break for anybody',
        'export default () => { const a = []; while (a.length < 1250) a.push(Buffer.alloc(8e6, 1)); };',
        /^out-of-memory: the process of the function used more than 300 MiB/,
      ],
      [
        'waits for ever in Atomics.wait',
        'export default () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);',
        /^execution-timeout: /,
      ],
      ['asks for a binding', 'export default () => process.binding("fs").open;', /^function-error: /],
      ['asks for the files', 'import fs from "node:fs"; export default () => 1;', /^invalid-function: /],
      [
        'asks for programs',
        'export default async () => (await import("node:child_process")).execSync("id");',
        /^function-error: /,
      ],
      [
        'loads a native add-on',
        'export default () => process.dlopen({ exports: {} }, "/usr/lib/x86_64-linux-gnu/libm.so.6");',
        /^function-error: /,
      ],
      ['signals the supervisor', 'export default () => process.kill(process.ppid, 9);', /^function-error: /],
      ['asks the network', 'export default () => fetch("http://127.0.0.1:5672/");', /^function-error: /],
      [
        'answers with a trap as then',
        'export default () => ({ then() { for (;;); } });',
        /^execution-timeout: /,
      ],
    ])(
      '%s',
      async (_name, source, expected) => {
        const runMs = expected.test('execution-timeout: ') ? 500 : 15_000;
        expect(resultOf(await sandbox.call(source, [], { runMs }))).toMatch(expected);
        expect(resultOf(await sandbox.call('export default (a) => a + 1;', [1]))).toBe(2);
      },
      30_000,
    );

    it('changes built-ins changes nothing for the next one', async () => {
      const pollute = `export default () => { let caught = 0;
        for (const change of [() => { Object.prototype.polluted = 1; }, () => { Array.prototype.map = 1; },
          () => { JSON.parse = () => 1; }, () => { Promise.prototype.then = () => 1; }])
          try { change(); } catch { caught += 1; }
        return caught; };`;
      expect(resultOf(await sandbox.call(pollute))).toBe(4);
      const look = 'export default (a) => [({}).polluted ?? null, [1].map((x) => x + a), JSON.parse("[2]")];';
      expect(resultOf(await sandbox.call(look, [1]))).toEqual([null, [2], [2]]);
    });

    it('prints a gigabyte gets the first of it as its log', async () => {
      const source = `const line = 'x'.repeat(1 << 20); export default () => { for (let n = 0; n < 1024; n += 1) console.log(line); };`;
      const outcome = await sandbox.call(source, [], { runMs: 20_000 });
      expect(resultOf(outcome)).toBeNull();
      expect(outcome.log.length).toBeLessThan(70_000);
    }, 60_000);
  });
}

/** The same in Python, with the bytes of a real device. Nothing in the language itself is in the way there. */
export function describeHarmfulPython(level: IsolationLevel): void {
  describe(`at level ${level}, a Python function that`, () => {
    let sandbox: SandboxFixture;
    let device: PythonClient;
    beforeAll(async () => {
      device = new PythonClient();
      sandbox = await startSandbox({
        isolation: level,
        runtimes: [pythonRuntime],
        residentMiB: 600,
        limits: { memoryMiB: 128 },
      });
    }, 60_000);
    afterAll(async () => {
      await device.stop();
      await sandbox.stop();
    });

    /** The result's repr, or `code: text`. */
    async function call(source: string, values = '[]', runMs = 10_000): Promise<string> {
      const { fc, params } = await device.dump(source, values);
      const parameters = Buffer.from(JSON.stringify(params));
      const code = Buffer.from(fc, 'base64');
      const outcome = await sandbox.call(code, [], { language: 'PY', parameters, runMs });
      if (outcome.kind === 'failed') return `${outcome.code}: ${outcome.text}`;
      return device.show((JSON.parse(outcome.answer.toString()) as { res: string }).res);
    }

    const tryAll = (...attempts: readonly string[]) => `
import ctypes, errno, os, signal, socket, subprocess
def f():
    found = []
    def attempt(work):
        try:
            work()
            found.append('done')
        except OSError as error:
            found.append(errno.errorcode.get(error.errno, str(error)))
        except Exception as error:
            found.append(type(error).__name__)
${attempts.map((attempt) => `    attempt(lambda: ${attempt})`).join('\n')}
    return found
`;

    it.each([
      ['reads the machine’s files', ["open('/etc/shadow')", "open('/root/.bashrc')"], "['ENOENT', 'ENOENT']"],
      [
        'starts programs',
        ['os.fork()', "subprocess.run(['/usr/bin/python3'])", "os.execv('/usr/bin/python3', ['python3'])"],
        "['EPERM', 'EPERM', 'EPERM']",
      ],
      [
        'opens sockets',
        ['socket.socket()', "socket.create_connection(('127.0.0.1', 5672))", 'socket.socket(socket.AF_UNIX)'],
        "['EPERM', 'EPERM', 'EPERM']",
      ],
      [
        'looks at and signals other processes',
        [
          `os.kill(${process.pid}, signal.SIGKILL)`,
          `open('/proc/${process.pid}/environ')`,
          `open('/proc/${process.pid}/mem')`,
        ],
        "['ESRCH', 'ENOENT', 'ENOENT']",
      ],
      [
        'goes through C',
        [
          '[].append(1) if ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0 else os.fork()',
          '[].append(1) if ctypes.CDLL(None).unshare(0x10000000) == 0 else os.fork()',
        ],
        "['EPERM', 'EPERM']",
      ],
    ])(
      '%s',
      async (_name, attempts, expected) => {
        expect(await call(tryAll(...attempts))).toBe(expected);
        expect(await call('def f(a): return a + 1', '[1]')).toBe('2');
      },
      30_000,
    );

    it('is given a pickle that runs code when it is read, which may do no more than the function', async () => {
      const source = `
import os
class Bomb:
    def __init__(self, *work): self.work = work
    def __reduce__(self): return self.work
def f(*values): return [os.waitstatus_to_exitcode(value) if value else value for value in values], os.listdir('/tmp')
`;
      // The folder shows that code runs and where to look; the shell that was to make a file could not be started.
      const bombs = "[Bomb(os.mkdir, ('/tmp/made',)), Bomb(os.system, ('echo > /tmp/pwned',))]";
      expect(await call(source, bombs)).toMatch(/^\(\[None, (-1|127)\], \['made'\]\)$/);
    }, 30_000);

    it('fills its scratch folder gets an error, and the next call works', async () => {
      const source = `
import errno
def f():
    for n in range(100):
        try:
            with open(f'/tmp/{n}', 'wb') as file: file.write(bytes(1 << 20))
        except OSError as error:
            return errno.errorcode[error.errno], n <= 16
`;
      expect(await call(source)).toBe("('ENOSPC', True)");
      expect(await call('def f(a): return a + 1', '[1]')).toBe('2');
      const many =
        "import os\ndef f(n):\n  old = os.listdir('/tmp')\n  for i in range(n): open(f'/tmp/{i}', 'wb').write(bytes(1 << 20))\n  return old";
      const text = 'scratch-full: the function wrote more than its scratch folder holds: OSError: ';
      expect((await call(many, '[100]')).slice(0, text.length)).toBe(text);
      // It is not left full to the next call.
      expect(await call(many, '[0]')).toBe('[]');
      const one = "def f():\n  with open('/tmp/x', 'wb') as file: file.write(bytes(17 << 20))";
      expect((await call(one)).slice(0, text.length)).toBe(text);
    }, 30_000);

    it('makes files without end is ended, with that reason', async () => {
      const source = `
def f():
    n = 0
    while True:
        open(f'/tmp/{n % 100000}', 'w').close()
        n += 1
`;
      expect(await call(source)).toMatch(/^scratch-full: more than 16384 files in the scratch folder/);
      expect(await call('def f(a): return a + 1', '[1]')).toBe('2');
    }, 30_000);

    it('takes ten gigabytes, gets the error that says so', async () => {
      expect(await call('def f(): return len(bytearray(10 * 1024 ** 3))')).toMatch(/^out-of-memory: /);
      const grow = 'def f():\n    kept = []\n    while True: kept.append(bytearray(8_000_000))';
      expect(await call(grow)).toMatch(/^out-of-memory: /);
      expect(await call('def f(a): return a + 1', '[1]')).toBe('2');
    }, 60_000);

    it('loops for ever, in Python or in C, is stopped', async () => {
      expect(await call('def f():\n    while True: pass', '[]', 500)).toMatch(/^execution-timeout: /);
      expect(await call('def f(): return sum(range(10 ** 13))', '[]', 500)).toMatch(/^execution-timeout: /);
      expect(await call('def f(a): return a + 1', '[1]')).toBe('2');
    }, 30_000);

    it('starts threads without end, or prints a gigabyte, harms nobody', async () => {
      const threads = `
import threading
def f():
    stop = threading.Event()
    started = 0
    try:
        while started < 10000:
            threading.Thread(target=stop.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    stop.set()
    return started < 129
`;
      expect(await call(threads)).toMatch(/^True$|^out-of-memory: /);
      const print = 'def f():\n    for n in range(1024): print("x" * (1 << 20))';
      const { fc } = await device.dump(print);
      const printed = await sandbox.call(Buffer.from(fc, 'base64'), [], {
        language: 'PY',
        parameters: Buffer.from('[]'),
        runMs: 25_000,
      });
      expect(printed).toMatchObject({ kind: 'succeeded' });
      expect(printed.log.length).toBeGreaterThan(60_000);
      expect(printed.log.length).toBeLessThan(70_000);
      // Past Python’s own streams it is refused what does not fit.
      const write = 'import os\ndef f():\n    for n in range(1024): os.write(1, bytes(1 << 20))';
      expect(await call(write)).toMatch(/^function-error: BlockingIOError: /);
      expect(await call('def f(a): return a + 1', '[1]')).toBe('2');
    }, 60_000);

    it('leaves links in scratch, which another owner never sees', async () => {
      const leave =
        "import os\ndef f():\n    os.symlink('/etc/shadow', '/tmp/link')\n    return os.listdir('/tmp')";
      expect(await call(leave)).toContain("'link'");
      const { fc } = await device.dump("import os\ndef f(): return os.listdir('/tmp')");
      const outcome = await sandbox.call(Buffer.from(fc, 'base64'), [], {
        language: 'PY',
        owner: 'bob',
        parameters: Buffer.from('[]'),
      });
      expect(outcome.kind).toBe('succeeded');
      if (outcome.kind !== 'succeeded') return;
      expect(await device.show((JSON.parse(outcome.answer.toString()) as { res: string }).res)).toBe('[]');
    }, 30_000);
  });
}
