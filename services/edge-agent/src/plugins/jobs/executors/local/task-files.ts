/** What a local task and its agent write for each other: one file a fact, each made once. */
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { taskFile } from '../../job-folder.js';
import { type ProcessIdentity, parseStat } from './process-table.js';

export type TaskPhase =
  | { readonly kind: 'waiting' }
  /** Its file is made and still empty: the wrapper is about to write, or was killed. */
  | { readonly kind: 'beginning'; readonly sinceMs: number }
  /** The agent took its place: it never began. */
  | { readonly kind: 'given-up'; readonly state: 'CANCELED' | 'FAILED' }
  | { readonly kind: 'begun'; readonly process: ProcessIdentity; readonly atMs: number }
  | { readonly kind: 'ended'; readonly exitCode: number };

const givenUp = /^given up (CANCELED|FAILED)\n$/;

export function readPhase(folder: string, index: number | null): TaskPhase {
  const exitCode = readExitCode(folder, index);
  if (exitCode !== undefined) return { kind: 'ended', exitCode };
  const path = taskFile(folder, 'started', index);
  const text = readText(path);
  if (text === undefined) return { kind: 'waiting' };
  const state = givenUp.exec(text)?.[1];
  if (state === 'CANCELED' || state === 'FAILED') return { kind: 'given-up', state };
  const [line = '', bootId, rest] = text.split('\n');
  const stat = parseStat(line);
  const atMs = modifiedAtMs(path);
  if (stat === undefined || bootId === undefined || rest === undefined)
    return { kind: 'beginning', sinceMs: atMs };
  return { kind: 'begun', process: { pid: stat.pid, startTicks: stat.startTicks, bootId }, atMs };
}

/** Makes sure that a task never begins, which ends it in this state; false when it has begun already. */
export const giveUp = (folder: string, index: number | null, state: 'CANCELED' | 'FAILED'): boolean =>
  createOnce(taskFile(folder, 'started', index), `given up ${state}\n`);

/** Notes why a task is ended; true the first time. */
export const noteReason = (folder: string, index: number | null, reason: string): boolean =>
  createOnce(taskFile(folder, 'ended-because', index), reason);

export const readReason = (folder: string, index: number | null): string | undefined =>
  readText(taskFile(folder, 'ended-because', index));

function readExitCode(folder: string, index: number | null): number | undefined {
  const text = readText(taskFile(folder, 'exit', index));
  // Without its line break it is not written yet.
  return text !== undefined && /^\d{1,3}\n$/.test(text) ? Number(text) : undefined;
}

function createOnce(path: string, text: string): boolean {
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      writeSync(file, text);
    } finally {
      closeSync(file);
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function modifiedAtMs(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return Date.now();
  }
}
