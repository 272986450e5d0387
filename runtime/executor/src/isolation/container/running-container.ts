import type { ChildProcess } from 'node:child_process';
import { readFileSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { insideFolders } from '../bubblewrap-arguments.js';
import { readChargedBytes } from '../cgroup-memory.js';
import type { DeathReason, ProcessBounds, StartedProcess } from '../isolation.js';
import { countMemoryKills, killCgroup, removeCgroup } from './cgroups.js';
import type { ContainerFolder } from './container-folder.js';
import { removeContainer } from './stale-containers.js';

/** runc ends as soon as its container has; this is for one that hangs. */
const runcEndsWithinMs = 5000;

/**
 * A container and the runc that waits for it.
 *
 * I1  What is killed is the container, and runc ends after it. runc itself is killed only while there is no container
 *     yet, or when it hangs.
 * I2  After the end nothing is left, however it came. runc keeps the control group until then: it tells whether the
 *     kernel killed for memory.
 */
export class RunningContainer implements StartedProcess {
  readonly #runc: ChildProcess;
  readonly #folder: ContainerFolder;
  readonly #roots: readonly string[];
  readonly #bounds: ProcessBounds;
  #pid: number | undefined;
  #isOver: boolean = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(runc: ChildProcess, folder: ContainerFolder, roots: readonly string[], bounds: ProcessBounds) {
    this.#runc = runc;
    this.#folder = folder;
    this.#roots = roots;
    this.#bounds = bounds;
  }

  get pid(): number | undefined {
    if (this.#isOver) return undefined;
    this.#pid ??= readPid(this.#folder.pidFile);
    return this.#pid;
  }

  kill(): void {
    if (this.#isOver) return;
    if (killCgroup(this.#folder.name, this.#roots) === 0) this.#killRunc(); // I1
    this.#patience ??= setTimeout(() => this.#killRunc(), runcEndsWithinMs);
  }

  countScratchFiles(): number | undefined {
    if (this.pid === undefined) return undefined;
    try {
      const { files, ffree } = statfsSync(`/proc/${this.pid}/root${insideFolders.scratch}`);
      return files - ffree;
    } catch {
      return undefined;
    }
  }

  memoryBytes(): number | undefined {
    if (this.#isOver) return undefined;
    for (const root of this.#roots) {
      const bytes = readChargedBytes(join(root, this.#folder.name));
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  ended(): DeathReason | undefined {
    this.#isOver = true;
    clearTimeout(this.#patience);
    const { name, path } = this.#folder;
    const memoryKills = countMemoryKills(name, this.#roots);
    if (removeCgroup(name, this.#roots))
      rmSync(path, { recursive: true, force: true }); // I2
    else void removeContainer(name, dirname(path), this.#roots); // It has a deadline, and the next start sweeps.
    const text = `the process of the function used more than ${Math.round(this.#bounds.residentMiB)} MiB`;
    return memoryKills > 0 ? { code: 'out-of-memory', text } : undefined;
  }

  #killRunc(): void {
    const { pid } = this.#runc;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      this.#runc.kill('SIGKILL');
    }
  }
}

/** Written by runc in one piece, before it starts the program. */
function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'latin1'));
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}
