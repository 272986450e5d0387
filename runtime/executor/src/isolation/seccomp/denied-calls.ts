/**
 * The system calls a function never gets, and why. Numbers: x86-64, then arm64 (`asm/unistd_64.h`,
 * `asm-generic/unistd.h`); null where that architecture does not have the call.
 */
export type CallNumbers = readonly [x64: number | null, arm64: number | null];

export interface DeniedGroup {
  readonly why: string;
  readonly calls: Readonly<Record<string, CallNumbers>>;
}

export const deniedGroups: readonly DeniedGroup[] = [
  {
    why: 'Starting programs: one process, which is what the limits and the watchdog measure. (Threads: see the filter.)',
    calls: { fork: [57, null], vfork: [58, null], execveat: [322, 281] },
  },
  {
    why: 'Looking into or steering other processes, also should one ever share the namespace.',
    calls: {
      ptrace: [101, 117],
      process_vm_readv: [310, 270],
      process_vm_writev: [311, 271],
      kcmp: [312, 272],
      move_pages: [279, 239],
      migrate_pages: [256, 238],
    },
  },
  {
    why: 'Rearranging the file system or the namespaces; a new user namespace would give all capabilities inside it, and with them most of the kernel’s attack surface.',
    calls: {
      mount: [165, 40],
      umount2: [166, 39],
      pivot_root: [155, 41],
      chroot: [161, 51],
      setns: [308, 268],
      unshare: [272, 97],
      swapon: [167, 224],
      swapoff: [168, 225],
      quotactl: [179, 60],
    },
  },
  {
    why: 'Files by handle go around the folders they are in; watches on files are a resource of the whole machine.',
    calls: {
      open_by_handle_at: [304, 265],
      name_to_handle_at: [303, 264],
      fanotify_init: [300, 262],
      fanotify_mark: [301, 263],
      inotify_init: [253, null],
      inotify_init1: [294, 26],
    },
  },
  {
    why: 'Keyrings are not part of any namespace.',
    calls: { add_key: [248, 217], request_key: [249, 218], keyctl: [250, 219] },
  },
  {
    why: 'Large parts of the kernel that functions do not need and where escapes have been found.',
    calls: {
      bpf: [321, 280],
      perf_event_open: [298, 241],
      userfaultfd: [323, 282],
      vmsplice: [278, 75],
      modify_ldt: [154, null],
      lookup_dcookie: [212, 18],
      personality: [135, 92],
      io_setup: [206, 0],
    },
  },
  {
    why: 'Memory that is held by a name or a descriptor: neither the watchdog nor the address-space limit sees it.',
    calls: {
      memfd_create: [319, 279],
      shmget: [29, 194],
      shmat: [30, 196],
      semget: [64, 190],
      msgget: [68, 186],
      mq_open: [240, 180],
    },
  },
  {
    why: 'Work for the whole machine: writing out its file systems, attributes that no size limit counts.',
    calls: {
      sync: [162, 81],
      syncfs: [306, 267],
      setxattr: [188, 5],
      lsetxattr: [189, 6],
      fsetxattr: [190, 7],
      remap_file_pages: [216, 234],
    },
  },
  {
    why: 'No network, and no sockets between functions: the namespace is empty, this is the second wall.',
    calls: {
      socket: [41, 198],
      bind: [49, 200],
      connect: [42, 203],
      listen: [50, 201],
      accept: [43, 202],
      accept4: [288, 242],
    },
  },
  {
    why: 'The machine itself: its kernel, clock, name, ports. The missing capabilities forbid them already.',
    calls: {
      kexec_load: [246, 104],
      kexec_file_load: [320, null],
      init_module: [175, 105],
      finit_module: [313, 273],
      delete_module: [176, 106],
      create_module: [174, null],
      reboot: [169, 142],
      syslog: [103, 116],
      acct: [163, 89],
      settimeofday: [164, 170],
      clock_settime: [227, 112],
      clock_adjtime: [305, 266],
      adjtimex: [159, 171],
      sethostname: [170, 161],
      setdomainname: [171, 162],
      iopl: [172, null],
      ioperm: [173, null],
      vhangup: [153, 58],
      nfsservctl: [180, 42],
      uselib: [134, null],
      ustat: [136, null],
      sysfs: [139, null],
      _sysctl: [156, null],
      query_module: [178, null],
      get_kernel_syms: [177, null],
    },
  },
];

/** Calls that are looked into, by name. */
export const inspectedCalls = {
  clone: [56, 220],
  socketpair: [53, 199],
  ioctl: [16, 29],
  prctl: [157, 167],
} as const satisfies Readonly<Record<string, CallNumbers>>;

/** The last call of the old tables; later ones have the same number everywhere. */
export const lastOldCall: CallNumbers = [334, 293];

/** Of the later calls those that libc and Node use to good ends. All others, also those yet to come, do not exist. */
export const allowedNewCalls: Readonly<Record<string, number>> = {
  close_range: 436,
  faccessat2: 439,
  epoll_pwait2: 441,
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
  futex_waitv: 449,
  fchmodat2: 452,
  mseal: 462,
};
