/**
 * Classic BPF as the kernel takes it for seccomp (seccomp(2), `linux/filter.h`, `linux/seccomp.h`): a few
 * instructions, and their bytes. Jumps are counted in instructions from the next one, and only go forward.
 */
export interface Instruction {
  readonly code: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
  readonly value: number;
}

const instructionBytes = 8;
const largestJump = 255;

const codes = {
  loadWord: 0x20,
  jumpIfEqual: 0x15,
  jumpIfGreater: 0x25,
  jumpIfAtLeast: 0x35,
  jumpIfAnyBit: 0x45,
  return: 0x06,
} as const;

/** Places in `struct seccomp_data`; of arguments the low 32 bits, on little-endian machines. */
export const dataOffsets = {
  number: 0,
  architecture: 4,
  argument: (index: number) => 16 + index * 8,
} as const;

/** What a filter answers for a call. */
export const verdicts = {
  allow: 0x7fff0000,
  killProcess: 0x80000000,
  fail: (errno: number) => 0x00050000 | errno,
} as const;

const jump = (code: number, value: number, ifTrue: number, ifFalse: number): Instruction => {
  if (ifTrue > largestJump || ifFalse > largestJump) throw new RangeError('a jump of BPF is at most 255 far');
  return { code, ifTrue, ifFalse, value };
};

export const load = (offset: number): Instruction => ({
  code: codes.loadWord,
  ifTrue: 0,
  ifFalse: 0,
  value: offset,
});
export const give = (verdict: number): Instruction => ({
  code: codes.return,
  ifTrue: 0,
  ifFalse: 0,
  value: verdict,
});

/** The instructions run when the loaded word is the value; after them the program goes on, if they do not return. */
export const whenEqual = (value: number, body: readonly Instruction[]): Instruction[] => [
  jump(codes.jumpIfEqual, value, 0, body.length),
  ...body,
];
export const unlessEqual = (value: number, body: readonly Instruction[]): Instruction[] => [
  jump(codes.jumpIfEqual, value, body.length, 0),
  ...body,
];
export const whenGreater = (value: number, body: readonly Instruction[]): Instruction[] => [
  jump(codes.jumpIfGreater, value, 0, body.length),
  ...body,
];
export const whenAtLeast = (value: number, body: readonly Instruction[]): Instruction[] => [
  jump(codes.jumpIfAtLeast, value, 0, body.length),
  ...body,
];
export const whenAnyBit = (bits: number, body: readonly Instruction[]): Instruction[] => [
  jump(codes.jumpIfAnyBit, bits, 0, body.length),
  ...body,
];
export const unlessAnyBit = (bits: number, body: readonly Instruction[]): Instruction[] => [
  jump(codes.jumpIfAnyBit, bits, body.length, 0),
  ...body,
];

/** The bytes of `struct sock_filter[]`, little-endian. */
export function encodeProgram(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * instructionBytes);
  program.forEach(({ code, ifTrue, ifFalse, value }, index) => {
    const at = index * instructionBytes;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(ifTrue, at + 2);
    bytes.writeUInt8(ifFalse, at + 3);
    bytes.writeUInt32LE(value >>> 0, at + 4);
  });
  return bytes;
}
