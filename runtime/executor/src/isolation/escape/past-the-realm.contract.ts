import { writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ProgramProcess } from '../../sandbox/program-process.js';
import { type Probes, startProbes } from '../../testing/probe-fixture.js';
import { cpuSeconds, maxOpenFiles } from '../bubblewrap-arguments.js';
import type { IsolationLevel } from '../isolation.js';
import { deniedGroups } from '../seccomp/denied-calls.js';

const listen = (server: Server, where: { port: number; host: string } | { path: string }) =>
  new Promise<void>((resolve) => server.listen(where, resolve));

/** What code that is past every rule of its language meets at a level with walls. */
export function describeWallsPastTheRealm(level: IsolationLevel): void {
  let probes: Probes;
  let secrets: string;
  let connections = 0;
  const tcp = createServer(() => (connections += 1));
  const abstract = createServer(() => (connections += 1));
  const abstractPath = `\0gantry-test-${process.pid}`;
  let port = 0;

  beforeAll(async () => {
    probes = await startProbes(level);
    secrets = await mkdtemp(join(tmpdir(), 'gantry-secrets-'));
    writeFileSync(join(secrets, 'gantry.db'), 'secret');
    await listen(tcp, { port: 0, host: '127.0.0.1' });
    await listen(abstract, { path: abstractPath });
    const address = tcp.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  }, 60_000);

  afterAll(async () => {
    await probes.stop();
    await rm(secrets, { recursive: true });
    await Promise.all([tcp, abstract].map((server) => new Promise((resolve) => server.close(resolve))));
  });

  describe(`at level ${level}, code past its realm`, () => {
    it('finds no file of the machine: neither accounts nor the store', async () => {
      const { said } = await probes.runNode(
        `const { readFileSync, readdirSync } = require('node:fs');
        (async () => say({
          shadow: await attempt(() => readFileSync('/etc/shadow')),
          passwd: await attempt(() => readFileSync('/etc/passwd')),
          store: await attempt(() => readFileSync(input.store)),
          home: await attempt(() => readdirSync('/root')),
          shell: await attempt(() => readFileSync('/bin/sh')),
          scratch: readdirSync('/tmp'),
        }))();`,
        { store: join(secrets, 'gantry.db') },
      );
      expect(said).toEqual({
        shadow: 'ENOENT',
        passwd: 'ENOENT',
        store: 'ENOENT',
        home: 'ENOENT',
        shell: 'ENOENT',
        scratch: [],
      });
    });

    it('sees no process but itself and the first of its namespace, and can neither read nor signal the supervisor', async () => {
      const { said } = await probes.runNode(
        `const { readFileSync, readdirSync } = require('node:fs');
        (async () => say({
          others: readdirSync('/proc').filter((name) => /^\\d+$/.test(name) && Number(name) !== process.pid),
          parent: process.ppid,
          environ: await attempt(() => readFileSync('/proc/' + input.supervisor + '/environ')),
          memory: await attempt(() => readFileSync('/proc/' + input.supervisor + '/mem')),
          parentEnviron: await attempt(() => readFileSync('/proc/' + process.ppid + '/environ')),
          signal: await attempt(() => process.kill(input.supervisor, 'SIGKILL')),
        }))();`,
        { supervisor: process.pid },
      );
      expect(said).toEqual({
        // The sandbox has bubblewrap's there; the container begins with the program.
        others: level === 'sandbox' ? ['1'] : [],
        parent: level === 'sandbox' ? 1 : 0,
        environ: 'ENOENT',
        memory: 'ENOENT',
        parentEnviron: 'ENOENT',
        signal: 'ESRCH',
      });
    });

    it('has nothing of the platform’s environment and no descriptor of it', async () => {
      const { said } = await probes.runNode(
        `const fs = require('node:fs');
        const mine = fs.readdirSync('/proc/self/fd').map((fd) => {
          try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return 'gone'; }
        });
        say({ names: Object.keys(process.env).sort(), files: mine.filter((to) => to.startsWith('/') && !to.startsWith('/proc/')),
          sockets: mine.filter((to) => to.startsWith('socket:')).length });`,
      );
      expect(said).toEqual({
        names: expect.arrayContaining(['LANG', 'PATH', 'TZ']),
        files: expect.not.arrayContaining([expect.stringMatching(/^\/(?!dev\/null|gantry\/)/)]),
        // For frames; what it prints goes there or through pipes.
        sockets: expect.any(Number),
      });
      expect((said as { sockets: number }).sockets).toBeLessThanOrEqual(3);
      expect(
        (said as { names: string[] }).names.filter((name) => !/^(HOME|LANG|PATH|PWD|TZ)$/.test(name)),
      ).toEqual([]);
    });

    it('reaches no address: TCP, UDP, names, Unix sockets by path and by abstract name', async () => {
      const { said } = await probes.runNode(
        `const net = require('node:net'), dgram = require('node:dgram'), dns = require('node:dns');
        const connect = (to) => attempt(() => new Promise((resolve, reject) => net.connect(to).on('connect', resolve).on('error', reject)));
        const send = () => attempt(() => new Promise((resolve, reject) => dgram.createSocket('udp4').on('error', reject)
          .send('x', input.port, '127.0.0.1', (error) => error ? reject(error) : resolve())));
        const look = () => attempt(() => new Promise((resolve, reject) => dns.lookup('localhost', (error) => error ? reject(error) : resolve())));
        (async () => say({
          listener: await connect({ port: input.port, host: '127.0.0.1' }),
          elsewhere: await connect({ port: 53, host: '1.1.1.1' }),
          ipv6: await connect({ port: input.port, host: '::1' }),
          abstract: await connect({ path: input.abstract }),
          path: await connect({ path: '/run/docker.sock' }),
          udp: await send(),
        }))();`,
        { port, abstract: abstractPath },
      );
      const values = Object.values(said as Record<string, string>);
      expect(values).toHaveLength(6);
      for (const value of values) expect(value).toMatch(/^(EPERM|EACCES|EAFNOSUPPORT|ENOENT|ENETUNREACH)$/);
      expect(connections).toBe(0);
    });

    it('cannot start a program or become two processes', async () => {
      const { said } = await probes.runPython(
        `import subprocess
say({
  'fork': attempt(os.fork),
  'vfork': attempt(lambda: subprocess.Popen(['/usr/bin/python3'])),
  'spawn': attempt(lambda: os.posix_spawn('/usr/bin/python3', ['python3'], {})),
  'system': os.system('true') != 0,
})`,
      );
      expect(said).toEqual({ fork: 'EPERM', vfork: 'EPERM', spawn: 'EPERM', system: true });
    });

    it('cannot be talked out of dying with the supervisor', async () => {
      const { said } = await probes.runPython(
        `import ctypes
libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG, PR_GET_PDEATHSIG = 1, 2
# Plainly, and with bits that the kernel does not look at.
tries = [libc.prctl(ctypes.c_ulong(option), ctypes.c_ulong(0), 0, 0, 0) for option in (PR_SET_PDEATHSIG, PR_SET_PDEATHSIG + (1 << 32))]
signal = ctypes.c_int()
libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(signal), 0, 0, 0)
say([tries, signal.value])`,
      );
      expect(said).toEqual([[-1, -1], 9]);
    });

    it('has a bounded number of threads, and the next program starts', async () => {
      const { said } = await probes.runPython(
        `import threading
stop = threading.Event()
started = 0
try:
    while started < 10000:
        threading.Thread(target=stop.wait, daemon=True).start()
        started += 1
except RuntimeError:
    pass
say({'started': started})
os._exit(0)`,
      );
      expect((said as { started: number }).started).toBeLessThan(129);
      expect((await probes.runPython('say(1)')).said).toBe(1);
    });

    it('gets none of the system calls that walls are climbed with', async () => {
      const column = process.arch === 'x64' ? 0 : 1;
      const calls = deniedGroups.flatMap(({ calls: group }) =>
        Object.entries(group).flatMap(([name, numbers]) => {
          const number = numbers[column];
          return number === null ? [] : [[name, number] as const];
        }),
      );
      const { said } = await probes.runPython(
        `import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments))
    return errno.errorcode.get(ctypes.get_errno(), 'none') if result == -1 else 'done'
say({
  'denied': {name: call(number, 0, 0, 0, 0, 0, 0) for name, number in input['calls']},
  'io_uring': call(425, 8, 0),
  'clone3': call(435, 0, 0),
  'terminal': attempt(lambda: __import__('fcntl').ioctl(1, 0x5412, b'x')),
})`,
        { calls },
      );
      const { denied, ...others } = said as { denied: Record<string, string> };
      expect(denied).toEqual(Object.fromEntries(calls.map(([name]) => [name, 'EPERM'])));
      expect(others).toEqual({ io_uring: 'ENOSYS', clone3: 'ENOSYS', terminal: 'EPERM' });
    });

    it('writes nowhere but into its scratch folder, which is bounded', async () => {
      const { said } = await probes.runNode(
        `const fs = require('node:fs');
        const write = (path) => attempt(() => fs.writeFileSync(path, 'x'));
        let bytes = 0, code;
        try {
          for (let n = 0; n < 100; n += 1) { fs.writeFileSync('/tmp/' + n, Buffer.alloc(1 << 20)); bytes += 1 << 20; }
        } catch (error) { code = error.code; }
        (async () => say({
          root: await write('/x'), devices: await write('/dev/x'), shared: await write('/dev/shm/x'), own: await write('/gantry/x'),
          system: await write('/usr/lib/x'), kernel: await write('/proc/sys/kernel/hostname'),
          trigger: await write('/proc/sysrq-trigger'), score: await write('/proc/self/uid_map'),
          scratch: [bytes >> 20 <= input.mebibytes, code],
        }))();`,
        { mebibytes: 16 },
      );
      const { scratch, ...others } = said as { scratch: unknown };
      expect(scratch).toEqual([true, 'ENOSPC']);
      for (const value of Object.values(others)) expect(value).toMatch(/^(EROFS|EACCES|EPERM|ENOENT)$/);
      expect(Object.values(others)).toHaveLength(8);
    });

    it('leaves nothing in scratch for the next program: files, links, sockets', async () => {
      const left = await probes.runPython(
        `import stat
made = attempt(lambda: os.mknod('/tmp/socket', stat.S_IFSOCK | 0o600))
open('/tmp/file', 'w').close()
os.symlink('/etc/shadow', '/tmp/link')
os.symlink('/tmp', '/tmp/loop')
say([made in ('done', 'EPERM'), sorted(os.listdir('/tmp'))])`,
      );
      expect(left.said).toEqual([true, expect.arrayContaining(['file', 'link', 'loop'])]);
      expect((await probes.runPython(`say(os.listdir('/tmp'))`)).said).toEqual([]);
    });

    it('is held by the kernel to open files, file size, processor time, and leaves no core', async () => {
      const { said } = await probes.runPython(
        `import resource
say({name: resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[0] for name in ('CORE', 'CPU', 'FSIZE', 'NOFILE')})`,
      );
      expect(said).toEqual({ CORE: 0, CPU: cpuSeconds, FSIZE: 16 * 1024 * 1024, NOFILE: maxOpenFiles });
    });

    it('is held to its address space where the program has one', async () => {
      const { said } = await probes.runPython(
        `try:
    kept = bytearray(10 * 1024 ** 3)
    say('had it')
except MemoryError:
    say('MemoryError')`,
        null,
        { addressSpaceMiB: 256 },
      );
      expect(said).toBe('MemoryError');
    });

    it('may print megabytes, of which the supervisor keeps the last words', async () => {
      const script = join(probes.folder, 'print.cjs');
      await writeFile(
        script,
        `const fs = require('node:fs'); const chunk = Buffer.alloc(1 << 20, 'x');
        for (let n = 0; n < 3; n += 1) for (let at = 0; at < chunk.length;) at += fs.writeSync(1, chunk, at);
        fs.writeSync(1, 'the end'); process.exit(3);`,
      );
      const args = [join(probes.isolation.folderInside(probes.folder), 'print.cjs')];
      const plan = { file: process.execPath, args, readableFolder: probes.folder };
      const launch = probes.isolation.launch(plan, { residentMiB: 256, scratchMiB: 16 });
      const how = await new Promise<string>((resolve) => {
        new ProgramProcess(launch, { onData: () => undefined, onDeath: (_reason, text) => resolve(text) });
      });
      // It came to its end, so all of it was read, if slowly.
      expect(how).toMatch(/^exit code 3 \(x+the end\)$/);
      expect(how.length).toBeLessThan(2100);
    }, 60_000);
  });
}
