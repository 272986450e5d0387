import { totalmem } from 'node:os';
import type { TopologyOptions } from '@gantry/broker';
import type { FlavourDefinition, IsolationChoice } from '@gantry/contracts/execution';
import { defaultLanguageSettings } from './languages/language.js';

/** What a runtime is told. Limits of 0 leave it to the flavour; others lower what a flavour says, on this machine. */
export interface RuntimeOptions {
  /** Random per process; a word of routing keys, so without dots. */
  readonly runtimeId: string;
  readonly flavours: readonly string[];
  /** Of any flavours; those that are served and not among them get the built-in defaults. */
  readonly definitions: readonly FlavourDefinition[];
  /** Executions at once, for each flavour; 0: as the flavour says. */
  readonly slots: number;
  /** The stricter of this and what a flavour says holds. */
  readonly isolation: IsolationChoice;
  /** Only levels that hold against strangers are accepted. */
  readonly isProduction: boolean;
  /** Heap of a function. */
  readonly memoryMiB: number;
  /** Files of a function. */
  readonly scratchMiB: number;
  /** Resident memory at which an executor process is killed; 0: 256 more than twice its heap. */
  readonly residentMiB: number;
  readonly resultBytes: number;
  readonly logBytes: number;
  /** Functions of one owner kept warm in a process. */
  readonly warmFunctions: number;
  /** Absolute path of the Python interpreter. */
  readonly pythonExecutable: string;
  /** Idle processes kept for each flavour, each bound to its owner. */
  readonly keptProcesses: number;
  /** Resident memory of all idle processes together; 0: a quarter of what this machine gives. */
  readonly keptMemoryMiB: number;
  /** How long running executions may go on after `stop` or `drain`. */
  readonly drainMs: number;
  readonly clockToleranceMs: number;
  /** How often the runtime says what it serves. */
  readonly announceMs: number;
  readonly topology: TopologyOptions;
}

/**
 * Owners that take turns find their process again: ten of them at eight slots need about a dozen processes. Measured
 * on two cores in the sandbox: 1600 calls a second with 16, and 12 with 4, where nearly every call starts a process.
 */
const keptProcesses = 16;

export const defaultRuntimeOptions: Omit<RuntimeOptions, 'runtimeId' | 'flavours'> = {
  definitions: [],
  slots: 0,
  isolation: 'auto',
  isProduction: false,
  memoryMiB: 0,
  scratchMiB: 0,
  residentMiB: 0,
  resultBytes: 0,
  logBytes: 0,
  warmFunctions: 4,
  ...defaultLanguageSettings,
  keptProcesses,
  keptMemoryMiB: 0,
  drainMs: 3000,
  clockToleranceMs: 1000,
  announceMs: 3000,
  topology: {},
};

const mebibyte = 1024 * 1024;

/** Memory that this process and its children may use: that of the machine, or of its control group where less. */
function usableMemoryBytes(): number {
  const constrained = process.constrainedMemory?.() ?? 0;
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** Resident memory of the idle processes of one flavour together. */
export const keptBytesOf = ({ keptMemoryMiB, flavours }: RuntimeOptions): number =>
  (keptMemoryMiB > 0 ? keptMemoryMiB * mebibyte : usableMemoryBytes() / 4) / Math.max(1, flavours.length);
