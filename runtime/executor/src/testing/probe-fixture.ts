import { spawn } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeathReason, Isolation, IsolationLevel, ProcessBounds } from '../isolation/isolation.js';
import { resolveIsolation } from '../isolation/resolve-isolation.js';
import { createStaging } from '../sandbox/staging.js';

/** Programs of a test under an isolation, without our realms and permission flags: what code past them could do. */
export interface Probes {
  readonly isolation: Isolation;
  readonly folder: string;
  /** Runs a CommonJS program; `input` is what it has as `input`. */
  runNode(source: string, input?: unknown, bounds?: Partial<ProcessBounds>): Promise<Probed>;
  /** Runs a Python program; `input` likewise. */
  runPython(source: string, input?: unknown, options?: PythonOptions): Promise<Probed>;
  stop(): Promise<void>;
}

export interface PythonOptions extends Partial<ProcessBounds> {
  readonly addressSpaceMiB?: number;
}

export interface Probed {
  /** The last line it printed, parsed; undefined when that is not JSON. */
  readonly said: unknown;
  readonly printedBytes: number;
  readonly exit: number | NodeJS.Signals | null;
  readonly stderr: string;
  readonly reason: DeathReason | undefined;
}

const defaultBounds: ProcessBounds = { residentMiB: 256, scratchMiB: 16 };
const keptChars = 100_000;
const probeWithinMs = 30_000;

const nodeHead = `'use strict';
const input = JSON.parse(process.argv[2] ?? 'null');
const attempt = async (work) => {
  try { await work(); return 'done'; } catch (error) { return error.code ?? error.message; }
};
const say = (found) => require('node:fs').writeSync(1, '\\n' + JSON.stringify(found) + '\\n');
`;
const pythonHead = `import errno, json, os, sys
input = json.loads(sys.argv[1])
def attempt(work):
    try:
        work()
        return 'done'
    except OSError as error:
        return errno.errorcode.get(error.errno, error.errno)
def say(found):
    print('\\n' + json.dumps(found), flush=True)
`;

function parseLastLine(text: string): unknown {
  try {
    return JSON.parse(text.trim().split('\n').at(-1) ?? '');
  } catch {
    return undefined;
  }
}

export async function startProbes(level: IsolationLevel): Promise<Probes> {
  const isolation = await resolveIsolation(level);
  const staging = await createStaging([], isolation);
  let made = 0;

  async function run(
    file: string,
    name: string,
    source: string,
    input: unknown,
    { addressSpaceMiB, ...bounds }: PythonOptions,
  ): Promise<Probed> {
    made += 1;
    const script = `${made}-${name}`;
    await writeFile(join(staging.folder, script), source);
    await chmod(join(staging.folder, script), 0o644);
    const plan = {
      file,
      args: [join(isolation.folderInside(staging.folder), script), JSON.stringify(input ?? null)],
      readableFolder: staging.folder,
      ...(addressSpaceMiB === undefined ? {} : { addressSpaceMiB }),
    };
    const launch = isolation.launch(plan, { ...defaultBounds, ...bounds });
    const child = spawn(launch.file, [...launch.args], launch.options);
    const started = launch.started?.(child);
    let [stdout, stderr, printedBytes] = ['', '', 0];
    child.stdout?.on('data', (chunk: Buffer) => {
      printedBytes += chunk.length;
      stdout = (stdout + chunk.toString('latin1')).slice(-keptChars);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-keptChars);
    });
    const timer = setTimeout(
      () => (started === undefined ? child.kill('SIGKILL') : started.kill()),
      probeWithinMs,
    );
    const exit = await new Promise<Probed['exit']>((resolve) =>
      child.once('close', (code, signal) => resolve(code ?? signal)),
    );
    clearTimeout(timer);
    return { said: parseLastLine(stdout), printedBytes, exit, stderr, reason: started?.ended() };
  }

  return {
    isolation,
    folder: staging.folder,
    runNode: (source, input, bounds = {}) =>
      run(staging.nodeFile, 'probe.cjs', nodeHead + source, input, bounds),
    runPython: (source, input, options = {}) =>
      run('/usr/bin/python3', 'probe.py', pythonHead + source, input, options),
    stop: () => staging.remove(),
  };
}
