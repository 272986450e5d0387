import { execFile } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Language } from '@gantry/contracts/execution';
import type { ExecutorLimits } from '../../sandbox/protocol.js';
import type { LanguageRuntime, LanguageSettings, LaunchOptions, LaunchPlan, Trial } from '../language.js';

const run = promisify(execFile);

/** `runtime/python` in a checkout, seen from `runtime/executor/dist/languages/python`. */
const programFolder = fileURLToPath(new URL('../../../../python/src', import.meta.url));

/**
 * -I: neither the environment nor the current folder is looked at. -S: no `site`, which would run what `.pth` files
 * say. -E is part of -I. -B: nothing is written beside the sources.
 */
const interpreterFlags = ['-I', '-S', '-B'] as const;

/** Python starts in 30 ms; this is for a machine that is very busy. */
const probeWithinMs = 10_000;

/** What `main.py --probe` says. */
interface Found {
  readonly version: readonly [number, number];
  readonly cloudpickle: boolean;
  readonly protobuf: boolean;
}
const oldestVersion = [3, 11] as const;

async function look(file: string): Promise<Found | undefined> {
  const options = { timeout: probeWithinMs, killSignal: 'SIGKILL', env: {}, cwd: '/' } as const;
  try {
    const { stdout } = await run(
      file,
      [...interpreterFlags, join(programFolder, 'main.py'), '--probe'],
      options,
    );
    return JSON.parse(stdout) as Found;
  } catch {
    return undefined;
  }
}

async function missing(language: Language, settings: LanguageSettings): Promise<string | undefined> {
  const file = settings.pythonExecutable;
  const found = await look(file);
  if (found === undefined) return `${file} cannot be run as Python 3; install the Debian package python3`;
  const [major, minor] = found.version;
  if (major !== oldestVersion[0] || minor < oldestVersion[1])
    return `${file} is Python ${found.version.join('.')}; install the Debian package python3, ${oldestVersion.join('.')} or later`;
  if (!found.cloudpickle) return `${file} has no cloudpickle; install the Debian package python3-cloudpickle`;
  if (language === 'C' && !found.protobuf)
    return `${file} has no protobuf; install the Debian package python3-protobuf`;
  return undefined;
}

/** What every level shows to every user. */
const systemFolders = ['/usr/bin/', '/bin/'] as const;

function trial({ pythonExecutable: file }: LanguageSettings): Trial | undefined {
  if (systemFolders.some((folder) => file.startsWith(folder))) return undefined;
  return {
    file,
    args: [...interpreterFlags, '-c', 'pass'],
    explain: (reason) =>
      `${file} (GANTRY_PYTHON) cannot be started where functions run (${reason}); the user of the sandbox must be able to read and run it and its libraries: install it outside of home folders, or leave GANTRY_PYTHON out and install the Debian package python3`,
  };
}

async function stage(folder: string): Promise<void> {
  const target = join(folder, 'languages', 'python');
  mkdirSync(target, { recursive: true });
  const isSource = (path: string) => !/(__pycache__|\.pyc|_test\.py)$/.test(path);
  cpSync(programFolder, target, { recursive: true, filter: isSource });
}

/** More than the interpreter and its packages map before the first call. */
const ownAddressSpaceMiB = 256;

function launch(folder: string, limits: ExecutorLimits, options: LaunchOptions): LaunchPlan {
  const { pythonExecutable, moduleHints = {} } = options;
  return {
    file: pythonExecutable,
    args: [
      ...interpreterFlags,
      join(folder, 'languages', 'python', 'main.py'),
      JSON.stringify({ ...limits, moduleHints }),
    ],
    readableFolder: folder,
    // The program holds itself to its own limit, which counts from the memory it has when it is ready.
    addressSpaceMiB: limits.memoryMiB + ownAddressSpaceMiB,
  };
}

/** Python, and the Python source text that C clients send. */
export const pythonRuntime: LanguageRuntime = {
  name: 'python',
  languages: ['PY', 'C'],
  freshRealm: 'process',
  functionsPerProcess: 'one',
  bootsThreads: false,
  missing,
  trial,
  stage,
  launch,
};
