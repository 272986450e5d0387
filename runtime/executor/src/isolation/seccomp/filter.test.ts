import { describe, expect, it } from '@jest/globals';
import { dataOffsets, encodeProgram, type Instruction, verdicts } from './bpf.js';
import { allowedNewCalls, deniedGroups, inspectedCalls } from './denied-calls.js';
import { buildFilter } from './filter.js';

const architectures = {
  x64: { audit: 0xc000003e, column: 0 },
  arm64: { audit: 0xc00000b7, column: 1 },
} as const;
type Architecture = keyof typeof architectures;
const eperm = verdicts.fail(1);
const enosys = verdicts.fail(38);

/** What the kernel does with a filter, for one call. */
function evaluate(program: readonly Instruction[], words: ReadonlyMap<number, number>): number {
  let loaded = 0;
  for (let at = 0; ; at += 1) {
    const instruction = program[at];
    if (instruction === undefined) throw new Error('the filter does not end in a verdict');
    const { code, value, ifTrue, ifFalse } = instruction;
    if (code === 0x06) return value;
    if (code === 0x20) {
      loaded = words.get(value) ?? 0;
      continue;
    }
    const isSo =
      code === 0x15
        ? loaded === value
        : code === 0x25
          ? loaded > value
          : code === 0x35
            ? loaded >= value
            : (loaded & value) !== 0;
    at += isSo ? ifTrue : ifFalse;
  }
}

function verdictOf(
  architecture: Architecture,
  call: number,
  args: readonly number[] = [],
  audit?: number,
): number {
  const words = new Map([
    [dataOffsets.number, call],
    [dataOffsets.architecture, audit ?? architectures[architecture].audit],
    ...args.map((value, index) => [dataOffsets.argument(index), value] as const),
  ]);
  return evaluate(buildFilter(architecture) ?? [], words);
}

describe.each(['x64', 'arm64'] as const)('the system call filter for %s', (architecture) => {
  const { column } = architectures[architecture];
  const numberOf = (call: readonly [number | null, number | null]) => call[column] ?? -1;

  it('denies every listed call', () => {
    for (const { calls } of deniedGroups) {
      for (const [name, call] of Object.entries(calls)) {
        const number = call[column];
        if (number !== null) expect([name, verdictOf(architecture, number)]).toEqual([name, eperm]);
      }
    }
  });

  it.each([
    ['a thread, as libc makes them', 0x3d0f00, verdicts.allow],
    ['a process', 17, eperm],
    ['a process that shares memory (vfork)', 0x4111, eperm],
    ['a thread in a new user namespace', 0x10000 | 0x10000000, eperm],
    ['a process in a new network', 0x40000000, eperm],
  ])('of clone, %s', (_name, flags, verdict) => {
    expect(verdictOf(architecture, numberOf(inspectedCalls.clone), [flags])).toBe(verdict);
  });

  it('has pairs of Unix sockets, no other sockets, and no input for terminals', () => {
    const socketpair = numberOf(inspectedCalls.socketpair);
    expect(verdictOf(architecture, socketpair, [1])).toBe(verdicts.allow);
    expect(verdictOf(architecture, socketpair, [2])).toBe(verdicts.fail(97));
    const ioctl = numberOf(inspectedCalls.ioctl);
    expect(verdictOf(architecture, ioctl, [0, 0x5412])).toBe(eperm);
    expect(verdictOf(architecture, ioctl, [0, 0x5401])).toBe(verdicts.allow);
  });

  it('does not let a program switch off that it dies with its parent', () => {
    const prctl = numberOf(inspectedCalls.prctl);
    expect(verdictOf(architecture, prctl, [1, 0])).toBe(eperm);
    expect(verdictOf(architecture, prctl, [15])).toBe(verdicts.allow);
  });

  it('takes calls it does not know for calls of a newer kernel: clone3, io_uring, and those to come', () => {
    for (const call of [425, 435, 447, 500, 100_000]) expect(verdictOf(architecture, call)).toBe(enosys);
    for (const call of Object.values(allowedNewCalls))
      expect(verdictOf(architecture, call)).toBe(verdicts.allow);
  });

  it('ends a program that calls by the numbers of another architecture', () => {
    expect(verdictOf(architecture, 0, [], 0x40000003)).toBe(verdicts.killProcess);
  });

  it('lets reading, writing and execve pass', () => {
    const calls = architecture === 'x64' ? [0, 1, 59] : [63, 64, 221];
    for (const call of calls) expect(verdictOf(architecture, call)).toBe(verdicts.allow);
  });
});

describe('the system call filter', () => {
  it('ends a program that uses the x32 ABI', () => {
    expect(verdictOf('x64', 0x40000000 + 1)).toBe(verdicts.killProcess);
  });

  it('does not exist for other architectures', () => {
    expect(buildFilter('riscv64')).toBeUndefined();
  });

  it('is encoded as the kernel reads it', () => {
    expect(encodeProgram([{ code: 0x15, ifTrue: 1, ifFalse: 2, value: 0xc000003e }]).toString('hex')).toBe(
      '150001023e0000c0',
    );
  });
});
