import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Names of what a supervisor leaves outside of itself (folders, control groups, containers) say which one made them, so
 * that those of a supervisor that was killed can be found:
 *
 *     <prefix><process namespace>-<pid>-<start of the process>-<whatever tells them apart>
 *
 * A pid alone is given to another process sooner or later, and means nothing in another process namespace: platforms in
 * two containers that share a folder must not take each other for dead. What another namespace left is therefore left
 * to it.
 */
/** Fields of `/proc/<pid>/stat` after the name: the state and, in clock ticks since boot, the start. */
const stateField = 0;
const startField = 19;
const deadStates = new Set(['Z', 'X', 'x']);

/** What every name made or swept in this process namespace begins with. */
export function namesHere(prefix: string): string {
  const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
  return `${prefix}${namespace}-`;
}

/** What the names that one supervisor gives begin with. @throws {Error} when there is no such process */
export function namesOf(prefix: string, pid: number): string {
  return `${namesHere(prefix)}${pid}-${startOf(pid)}-`;
}

/** Whether the supervisor that a name of this namespace tells of is running. */
function isSupervised(prefix: string, name: string): boolean {
  const pid = Number(name.slice(namesHere(prefix).length).split('-')[0]);
  try {
    return pid > 0 && name.startsWith(namesOf(prefix, pid));
  } catch {
    return false;
  }
}

/** Whether a name was given in this process namespace by a supervisor that is no more. */
export function isStale(prefix: string, name: string): boolean {
  return name.startsWith(namesHere(prefix)) && !isSupervised(prefix, name);
}

/** When a process started. @throws {Error} when there is none, or it only waits to be reaped */
function startOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the program's name, in parentheses, and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const start = fields[startField];
  if (start === undefined || deadStates.has(fields[stateField] ?? '')) throw new Error(`${pid} has ended`);
  return start;
}
