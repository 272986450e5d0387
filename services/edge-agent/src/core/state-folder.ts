/**
 * The folder of everything that an agent keeps over a restart.
 *
 * I1. Nobody else can look into it: mode 0700, and of the user the agent runs as.
 * I2. One agent at a time: a lock names the process, and a lock whose process is gone counts as none.
 */
import { chmod, lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const lockName = 'agent.lock';

export interface StateFolder {
  readonly path: string;
  release(): Promise<void>;
}

/** @throws {Error} when it belongs to another user, or another agent works in it */
export async function openStateFolder(path: string): Promise<StateFolder> {
  await makePrivateFolder(path);
  const lock = join(path, lockName);
  const mine = `${process.pid} ${await startTimeOf(process.pid)}\n`;
  await takeLock(lock, mine, path);
  return {
    path,
    release: async () => {
      const held = await readFile(lock, 'utf8').catch(() => '');
      if (held === mine) await rm(lock, { force: true });
    },
  };
}

/** Makes a folder that only this user can look into (I1), with the ones above it. */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = await lstat(path);
  const own = process.getuid?.() ?? uid;
  if (uid !== own) throw new Error(`The folder ${path} belongs to user ${uid}; the agent runs as ${own}`);
  if ((mode & 0o077) !== 0) await chmod(path, 0o700);
}

async function takeLock(lock: string, mine: string, path: string): Promise<void> {
  // Twice at most: once more after a lock that was left behind.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const handle = await open(lock, 'wx', 0o600);
      await handle.writeFile(mine);
      await handle.close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const pid = await findAgentProcess(path);
    if (pid !== undefined)
      throw new Error(`The agent with process id ${pid} works in ${path} already; stop it first`);
    await rm(lock, { force: true });
  }
  throw new Error(`Cannot lock ${path}: another agent starts at the same time`);
}

/** The process of the agent that works in a folder; undefined when none does. */
export async function findAgentProcess(path: string): Promise<number | undefined> {
  const [pid = '', startTime = ''] = (await readFile(join(path, lockName), 'utf8').catch(() => ''))
    .trim()
    .split(' ');
  return pid !== '' && (await startTimeOf(Number(pid))) === startTime ? Number(pid) : undefined;
}

/** When a process began, in clock ticks since the boot: tells a process from a later one with its number. */
async function startTimeOf(pid: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the start time is the 20th field after it (proc(5)).
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return isAlive(pid) ? 'alive' : '';
  }
}

/** For systems without /proc. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Replaces a file so that a crash leaves the old or the new one, whole. Mode 0600. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${process.pid}.new`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Makes a rename in the folder last. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
