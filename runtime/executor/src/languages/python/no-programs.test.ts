import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { IsolationLevel } from '../../isolation/isolation.js';
import { type PythonSandbox, startPythonSandbox } from '../../testing/python-sandbox.js';

/** The number of execveat here. */
const execveat = process.arch === 'x64' ? 322 : 281;

describe.each<IsolationLevel>(['thread', 'process', 'sandbox', 'container'])(
  'at level %s the process of a Python function',
  (isolation) => {
    let python: PythonSandbox;
    beforeAll(async () => {
      python = await startPythonSandbox({ isolation });
    }, 60_000);
    afterAll(() => python.stop());

    it('cannot become another program, in whichever thread and by whichever call', async () => {
      const source = `
import ctypes, errno, os, threading
def f():
    found = []
    def attempt(work):
        try:
            work()
            found.append('done')
        except OSError as error:
            found.append(errno.errorcode[error.errno])
    def call():
        libc = ctypes.CDLL(None, use_errno=True)
        arguments = (ctypes.c_char_p * 2)(b'other', None)
        file = b'/usr/bin/python3'
        libc.syscall(ctypes.c_long(${execveat}), ctypes.c_long(-100), file, arguments, None, ctypes.c_long(0))
        raise OSError(ctypes.get_errno(), '')
    def become(): os.execv('/usr/bin/python3', ['other', '-c', ''])
    attempt(become)
    for work in (become, call):
        thread = threading.Thread(target=attempt, args=(work,))
        thread.start()
        thread.join()
    return found
`;
      expect((await python.run(source)).said).toBe("['EPERM', 'EPERM', 'EPERM']");
    }, 30_000);

    it('cannot take that back, nor get privileges from a file', async () => {
      const source = `
import re
def f(): return re.findall(r'(NoNewPrivs|Seccomp):\\s(\\d)', open('/proc/self/status').read())
`;
      expect((await python.run(source)).said).toBe("[('NoNewPrivs', '1'), ('Seccomp', '2')]");
    }, 30_000);
  },
);
