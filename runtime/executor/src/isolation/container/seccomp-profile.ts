import { deniedGroups } from '../seccomp/denied-calls.js';

/**
 * The system calls of a container (OCI runtime specification 1.0.2, `linux.seccomp`): what Node, Python and their
 * numeric libraries use to compute and to keep files in scratch. What the sandbox denies fails in the same way here.
 * Everything else does not exist, so that libraries take the older way where there is one.
 *
 * I1  No new process: `clone` makes threads only, in no new namespace.
 * I2  No socket but pairs of local ones.
 * I3  A program that is to die with its parent cannot change that.
 */
const errno = { EPERM: 1, ENOSYS: 38 } as const;

/** Flags of clone(2): a thread, and the new namespaces a thread could ask for. */
const cloneThread = 0x0001_0000;
const cloneNamespaces = 0x7e02_0000;
const unixFamily = 1;
/** Numbers of `prctl`, `ioctl` and `socketpair` are 32 bits wide: what is above is ignored by the kernel, so here as well. */
const lowBits = 0xffff_ffff;

const setParentDeathSignal = 1;
const killSignal = 9;
/** prctl(2): reading one’s own state, keeping capabilities (of which there are none), names of threads and memory areas, huge pages, no new privileges, more filters. */
const harmlessPrctl = [2, 3, 7, 8, 15, 16, 21, 22, 23, 30, 38, 39, 41, 42, 0x5356_4d41] as const;
/** ioctl(2): whether there is a terminal, how much can be read, flags of descriptors, copies of files. */
const harmlessIoctl = [
  0x5401, 0x802c_542a, 0x5413, 0x541b, 0x5411, 0x5421, 0x5450, 0x5451, 0x5452, 0x4004_9409,
];
/** Put bytes into the input of a terminal: TIOCSTI, TIOCLINUX. */
const terminalInput = [0x5412, 0x541c];

const files = [
  'access chdir chmod close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64',
  'fallocate fchdir fchmod fchmodat fcntl fdatasync flock fstat fstatfs fsync ftruncate getcwd getdents',
  'getdents64 link linkat lseek lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 pipe pipe2 pread64',
  'preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv rename renameat renameat2',
  'rmdir sendfile splice stat statfs statx symlink symlinkat sync_file_range tee truncate umask unlink unlinkat',
  'utime utimensat utimes write writev',
];
const memory = [
  'brk get_mempolicy madvise mbind membarrier mincore mlock mlock2 mmap mprotect mremap msync munlock munmap',
  'pkey_alloc pkey_free pkey_mprotect set_mempolicy',
];
const threadsAndSignals = [
  'arch_prctl execve exit exit_group futex get_robust_list getcpu gettid kill restart_syscall rseq rt_sigaction',
  'rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_get_priority_max',
  'sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_setaffinity',
  'sched_yield set_robust_list set_tid_address sigaltstack signalfd signalfd4 tgkill tkill wait4 waitid',
];
const waitingAndTime = [
  'alarm clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2',
  'epoll_wait eventfd eventfd2 getitimer gettimeofday nanosleep pause poll ppoll pselect6 select setitimer time',
  'timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime',
  'timerfd_settime times',
];
/** For the pipe of frames, which is one half of a pair. */
const sockets = [
  'getpeername getsockname getsockopt recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown',
];
const aboutItself = [
  'capget capset getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getrandom getresgid getresuid getrlimit',
  'getrusage getsid getuid prlimit64 setrlimit sysinfo uname',
];

/** `(argument & mask) === value`. */
const masked = (index: number, mask: number, value: number) => ({
  index,
  value: mask,
  valueTwo: value,
  op: 'SCMP_CMP_MASKED_EQ',
});
const equal = (index: number, value: number) => ({ index, value, op: 'SCMP_CMP_EQ' });
const allow = (names: readonly string[], args?: readonly object[]) => ({
  names,
  action: 'SCMP_ACT_ALLOW',
  ...(args === undefined ? {} : { args }),
});

/** An error that programs take for a refusal, not for an older kernel. */
const refuse = (names: readonly string[]) => ({ names, action: 'SCMP_ACT_ERRNO', errnoRet: errno.EPERM });

const always = [files, memory, threadsAndSignals, waitingAndTime, sockets, aboutItself].flatMap((group) =>
  group.flatMap((line) => line.split(' ')),
);

export const seccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: errno.ENOSYS,
  syscalls: [
    allow(always),
    allow(['clone'], [masked(0, cloneThread | cloneNamespaces, cloneThread)]),
    allow(['socketpair'], [masked(0, lowBits, unixFamily)]), // I2
    ...harmlessIoctl.map((request) => allow(['ioctl'], [masked(1, lowBits, request)])),
    ...terminalInput.map((request) => ({ ...refuse(['ioctl']), args: [masked(1, lowBits, request)] })),
    ...harmlessPrctl.map((option) => allow(['prctl'], [masked(0, lowBits, option)])),
    allow(['prctl'], [masked(0, lowBits, setParentDeathSignal), equal(1, killSignal)]), // I3
    { ...refuse(['clone']), args: [masked(0, cloneThread, 0)] }, // I1; clone3 does not exist, and libc falls back
    refuse(deniedGroups.flatMap(({ calls }) => Object.keys(calls))),
  ],
} as const;
