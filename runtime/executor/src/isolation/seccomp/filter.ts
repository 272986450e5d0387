import {
  dataOffsets,
  encodeProgram,
  give,
  type Instruction,
  load,
  unlessAnyBit,
  unlessEqual,
  verdicts,
  whenAnyBit,
  whenAtLeast,
  whenEqual,
  whenGreater,
} from './bpf.js';
import {
  allowedNewCalls,
  type CallNumbers,
  deniedGroups,
  inspectedCalls,
  lastOldCall,
} from './denied-calls.js';

/**
 * The system call filter of the sandbox.
 *
 * I1  Calls of another architecture or ABI end the process: their numbers mean something else.
 * I2  What is denied fails with EPERM, so that programs can say what they lack instead of dying of it.
 * I3  Calls this file does not know (newer than `lastOldCall`, not in `allowedNewCalls`) do not exist: ENOSYS, which
 *     every libc takes for an older kernel.
 * I4  `execve` stays: the program itself is started under the filter. Without `fork` it can only replace itself, by
 *     a program under the same filter.
 */
const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

/** `AUDIT_ARCH_*` of linux/audit.h, and which column of the tables is this architecture's. */
const architectures: Readonly<Record<string, { audit: number; column: 0 | 1 }>> = {
  x64: { audit: 0xc000003e, column: 0 },
  arm64: { audit: 0xc00000b7, column: 1 },
};

/** x86-64 only: calls of the x32 ABI carry this bit. */
const x32Bit = 0x40000000;
const cloneThread = 0x00010000;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const cloneNewNamespaces = 0x7e020000;
const addressFamilyUnix = 1;
/** Put bytes into the input of a terminal: TIOCSTI, TIOCLINUX. */
const terminalInput = [0x5412, 0x541c] as const;

const setParentDeathSignal = 1;

const deny = give(verdicts.fail(errno.EPERM));
const allow = give(verdicts.allow);
const doesNotExist = give(verdicts.fail(errno.ENOSYS));

/** New threads, but neither processes (I2) nor namespaces. */
const inspectClone: readonly Instruction[] = [
  load(dataOffsets.argument(0)),
  ...whenAnyBit(cloneNewNamespaces, [deny]),
  ...unlessAnyBit(cloneThread, [deny]),
  allow,
];

/** Pairs of connected sockets, which event loops wake themselves with; they reach nobody. */
const inspectSocketpair: readonly Instruction[] = [
  load(dataOffsets.argument(0)),
  ...unlessEqual(addressFamilyUnix, [give(verdicts.fail(errno.EAFNOSUPPORT))]),
  allow,
];

const inspectIoctl: readonly Instruction[] = [
  load(dataOffsets.argument(1)),
  ...terminalInput.flatMap((request) => whenEqual(request, [deny])),
  allow,
];

/**
 * The signal at the death of the supervisor (PR_SET_PDEATHSIG) is set before; code that could take it back would
 * outlive the supervisor.
 */
const inspectPrctl: readonly Instruction[] = [
  load(dataOffsets.argument(0)),
  ...whenEqual(setParentDeathSignal, [deny]),
  allow,
];

function numberOf(call: CallNumbers, column: 0 | 1): number[] {
  const number = call[column];
  return number === null ? [] : [number];
}

/** The instructions for an architecture, or undefined when it is not known here. */
export function buildFilter(architecture: string): readonly Instruction[] | undefined {
  const found = architectures[architecture];
  if (found === undefined) return undefined;
  const { audit, column } = found;
  const inspect = (call: CallNumbers, body: readonly Instruction[]) =>
    numberOf(call, column).flatMap((number) => whenEqual(number, body));
  const denied = deniedGroups.flatMap(({ calls }) =>
    Object.values(calls).flatMap((call) => numberOf(call, column)),
  );
  return [
    load(dataOffsets.architecture),
    ...unlessEqual(audit, [give(verdicts.killProcess)]), // I1
    load(dataOffsets.number),
    ...(column === 0 ? whenAtLeast(x32Bit, [give(verdicts.killProcess)]) : []), // I1
    ...whenGreater(lastOldCall[column] ?? 0, [
      ...Object.values(allowedNewCalls).flatMap((number) => whenEqual(number, [allow])),
      doesNotExist, // I3; clone3 too: its flags are in memory, which a filter cannot read, and libc falls back
    ]),
    ...inspect(inspectedCalls.clone, inspectClone),
    ...inspect(inspectedCalls.socketpair, inspectSocketpair),
    ...inspect(inspectedCalls.ioctl, inspectIoctl),
    ...inspect(inspectedCalls.prctl, inspectPrctl),
    ...denied.flatMap((number) => whenEqual(number, [deny])), // I2
    allow,
  ];
}

/** The filter as bubblewrap takes it, or undefined where the architecture is not known. */
export function encodeFilter(architecture: string): Buffer | undefined {
  const program = buildFilter(architecture);
  return program === undefined ? undefined : encodeProgram(program);
}
