import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Probes, startProbes } from '../../testing/probe-fixture.js';
import { isRunning, until } from '../../testing/sandbox-fixture.js';
import { describeWallsPastTheRealm } from './past-the-realm.contract.js';

describeWallsPastTheRealm('sandbox');

const syscallHead = `import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments))
    return errno.errorcode.get(ctypes.get_errno(), 'none') if result == -1 else 'done'
`;
const sigSys = 31;

describe('the sandbox', () => {
  let probes: Probes;
  beforeAll(async () => {
    probes = await startProbes('sandbox');
  }, 60_000);
  afterAll(() => probes.stop());

  it('ends a program that calls by the numbers of another ABI, where the processor has one', async () => {
    const { exit, said } = await probes.runPython(
      `${syscallHead}say('before')\n${process.arch === 'x64' ? 'call(0x40000000 + 39)' : 'os._exit(128 + 31)'}\nsay('after')`,
    );
    expect([exit, said]).toEqual([128 + sigSys, 'before']);
  });

  it('has no namespaces, processes or sockets by system call arguments either', async () => {
    const [clone, socketpair, prctl] = process.arch === 'x64' ? [56, 53, 157] : [220, 199, 167];
    const { said } = await probes.runPython(
      `${syscallHead}say({
  'process': call(${clone}, 17, 0), 'user namespace': call(${clone}, 0x10010000, 0),
  'internet pair': call(${socketpair}, 2, 1, 0, 0), 'outliving': call(${prctl}, 1, 0),
  'pair': attempt(lambda: __import__('socket').socketpair()),
})`,
    );
    expect(said).toEqual({
      process: 'EPERM',
      'user namespace': 'EPERM',
      'internet pair': 'EAFNOSUPPORT',
      outliving: 'EPERM',
      pair: 'done',
    });
  });

  it('keeps programs from the first process of their namespace, which is what ends them', async () => {
    const { said } = await probes.runPython(
      `import signal
say({
  'memory': attempt(lambda: open('/proc/1/mem', 'r+b')),
  'arguments': attempt(lambda: open('/proc/1/cmdline')),
  'shown': os.listdir('/proc/1'),
  'covered': attempt(lambda: open('/proc/1/x', 'w')),
  'kill': attempt(lambda: os.kill(1, signal.SIGKILL)),
})`,
    );
    expect(said).toEqual({
      memory: 'ENOENT',
      arguments: 'ENOENT',
      shown: [],
      covered: 'EROFS',
      kill: 'done',
    });
  });

  it('gives each program a user of its own on this machine', async () => {
    const plan = { file: '/usr/bin/sleep', args: ['60'], readableFolder: probes.folder };
    const users = [1, 2].map(() => {
      const launch = probes.isolation.launch(plan, { residentMiB: 64, scratchMiB: 1 });
      const child = spawn(launch.file, [...launch.args], launch.options);
      const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
      child.kill('SIGKILL');
      launch.started?.(child).ended();
      return Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
    });
    if (process.getuid?.() === 0) {
      expect(new Set([...users, 0, 65534]).size).toBe(4);
    } else {
      expect(users).toEqual([process.getuid?.(), process.getuid?.()]);
    }
  });

  it('ends with its supervisor whatever the program does against that', async () => {
    const fixture = new URL('../../testing/probe-fixture.js', import.meta.url).href;
    // The signal at the death of a parent belongs to one thread: what another thread turns into is without it.
    const survivor = `import ctypes, os, signal, time
ctypes.CDLL(None).prctl(1, 0)
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
os.closerange(0, 512)
while True: time.sleep(1)`;
    const stubborn = `import threading, time
work = lambda: os.execv('/usr/bin/python3', ['survivor', '-c', ${JSON.stringify(survivor)}])
threading.Thread(target=work).start()
time.sleep(60)`;
    const program = `const { startProbes } = await import(${JSON.stringify(fixture)});
      const probes = await startProbes('sandbox');
      console.log('ready');
      await probes.runPython(${JSON.stringify(stubborn)});`;
    const supervisor = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(supervisor.stdout, 'data');
    const childrenOf = (pid: number) =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
        .trim()
        .split(' ')
        .filter(Boolean)
        .map(Number);
    let inside: number | undefined;
    await until(() => {
      const [wrapper] = childrenOf(supervisor.pid ?? 0);
      const first = wrapper === undefined ? undefined : childrenOf(wrapper)[0];
      inside = first === undefined ? undefined : childrenOf(first)[0];
      return (
        inside !== undefined &&
        readFileSync(`/proc/${inside}/cmdline`, 'latin1').startsWith('survivor\0') &&
        /^SigIgn:\t0*[1-9a-f]/m.test(readFileSync(`/proc/${inside}/status`, 'latin1'))
      );
    }, 'the program became another, which ignores signals');
    supervisor.kill('SIGKILL');
    await until(() => !isRunning(inside ?? 0), 'it is gone');
  }, 30_000);
});
