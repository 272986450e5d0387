import type { TopologyOptions } from '@gantry/broker';
import type { IsolationLevel } from './isolation.js';

export interface RuntimeOptions {
  /** Random per process; a word of routing keys, so without dots. */
  readonly runtimeId: string;
  readonly flavours: readonly string[];
  /** Executions at once, for each flavour. */
  readonly slots: number;
  readonly isolation: IsolationLevel;
  /** Heap of a function. */
  readonly memoryMiB: number;
  /** Resident memory at which an executor process is killed; holds what the heap does not count. */
  readonly residentMiB: number;
  readonly resultBytes: number;
  readonly logBytes: number;
  /** Functions of one owner kept warm in a process. */
  readonly warmFunctions: number;
  /** Idle processes kept, each bound to its owner. */
  readonly keptProcesses: number;
  /** How long running executions may go on after `stop` or `drain`. */
  readonly drainMs: number;
  readonly clockToleranceMs: number;
  readonly topology: TopologyOptions;
}

const mebibyte = 1024 * 1024;

export const defaultRuntimeOptions: Omit<RuntimeOptions, 'runtimeId' | 'flavours'> = {
  slots: 1,
  isolation: 'process',
  memoryMiB: 256,
  residentMiB: 768,
  resultBytes: 32 * mebibyte,
  logBytes: 64 * 1024,
  warmFunctions: 4,
  keptProcesses: 4,
  drainMs: 3000,
  clockToleranceMs: 1000,
  topology: {},
};
