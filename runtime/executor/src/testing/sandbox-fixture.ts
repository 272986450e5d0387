import { createHash } from 'node:crypto';
import type { Language } from '@gantry/contracts/execution';
import { type Logger, silentLogger } from '@gantry/kernel';
import type { IsolationChoice } from '../isolation/isolation.js';
import { resolveIsolation } from '../isolation/resolve-isolation.js';
import { jsRuntime } from '../languages/js/js-runtime.js';
import { defaultLanguageSettings, type LanguageRuntime, type ModuleHints } from '../languages/language.js';
import type { CallOutcome } from '../sandbox/executor-process.js';
import { ProcessPool } from '../sandbox/process-pool.js';
import type { ExecutorLimits, ProcessShape } from '../sandbox/protocol.js';
import { createStaging } from '../sandbox/staging.js';

/** Real executor processes for tests. */
export interface SandboxFixture {
  readonly pool: ProcessPool;
  readonly folder: string;
  /** Runs the source with the values as parameters, for an owner. */
  call(source: string | Buffer, values?: readonly unknown[], options?: CallOptions): Promise<CallOutcome>;
  stop(): Promise<void>;
}

export interface CallOptions {
  /** Who calls. */
  readonly owner?: string;
  readonly functionOwner?: string;
  readonly language?: Language;
  readonly runMs?: number;
  readonly resultBytes?: number;
  readonly logBytes?: number;
  readonly isFresh?: boolean;
  readonly shape?: ProcessShape;
  /** Instead of values: the bytes as a caller sent them. */
  readonly parameters?: Buffer;
  readonly onProgress?: (perMille: number) => void;
}

export interface FixtureOptions {
  readonly limits?: Partial<ExecutorLimits>;
  readonly isolation?: IsolationChoice;
  readonly residentMiB?: number;
  readonly keptProcesses?: number;
  readonly keptBytes?: number;
  readonly readyWithinMs?: number;
  readonly logger?: Logger;
  readonly moduleHints?: ModuleHints;
  /** Only JavaScript by default. */
  readonly runtimes?: readonly LanguageRuntime[];
}

export const sha256Of = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

export const encodeParameters = (values: readonly unknown[]): Buffer =>
  Buffer.from(JSON.stringify(values.map((value) => Buffer.from(JSON.stringify(value)).toString('base64'))));

/** The value in an answer as callers get it. */
export function decodeAnswer(answer: Buffer): unknown {
  const parsed = JSON.parse(answer.toString()) as { ret_code: number; res: string; err: string | null };
  if (parsed.ret_code !== 0 || parsed.err !== null) throw new Error(`not a success: ${parsed.err}`);
  return JSON.parse(Buffer.from(parsed.res, 'base64').toString());
}

/** What a call came to, in one value that tests can compare. */
export const resultOf = (outcome: CallOutcome): unknown =>
  outcome.kind === 'succeeded' ? decodeAnswer(outcome.answer) : `${outcome.code}: ${outcome.text}`;

const defaultLimits: ExecutorLimits = {
  memoryMiB: 64,
  scratchMiB: 16,
  resultBytes: 4 * 1024 * 1024,
  logBytes: 64 * 1024,
  warmFunctions: 3,
  codeBytes: 16 * 1024 * 1024,
};

export async function startSandbox(options: FixtureOptions = {}): Promise<SandboxFixture> {
  const isolation = await resolveIsolation(options.isolation ?? 'process');
  const staging = await createStaging(options.runtimes ?? [jsRuntime], isolation);
  const limits = { ...defaultLimits, ...options.limits };
  const pool = new ProcessPool({
    runtimes: options.runtimes ?? [jsRuntime],
    settings: { ...defaultLanguageSettings, moduleHints: options.moduleHints },
    isolation,
    staging,
    limits,
    residentMiBOf: () => options.residentMiB ?? 300,
    keptProcesses: options.keptProcesses ?? 2,
    keptBytes: options.keptBytes ?? Number.POSITIVE_INFINITY,
    ...(options.readyWithinMs === undefined ? {} : { readyWithinMs: options.readyWithinMs }),
    logger: options.logger ?? silentLogger,
    onLost: () => undefined,
  });
  await pool.start();
  return {
    pool,
    get folder() {
      return staging.folder;
    },
    async call(
      source,
      values = [],
      {
        owner = 'alice',
        functionOwner,
        language = 'JS',
        runMs = 10_000,
        parameters,
        onProgress,
        shape,
        isFresh = false,
        ...callLimits
      } = {},
    ) {
      const code = typeof source === 'string' ? Buffer.from(source) : source;
      const functionSha256 = sha256Of(code);
      const process = await pool.acquire({
        ...{ language, owner, functionOwner, functionSha256, shape, isFresh },
      });
      const outcome = await process.run({
        executionId: 'f1.0190',
        language,
        functionSha256,
        parameters: parameters ?? encodeParameters(values),
        runMs,
        resultBytes: callLimits.resultBytes ?? limits.resultBytes,
        logBytes: callLimits.logBytes ?? limits.logBytes,
        isFresh,
        loadCode: () => Promise.resolve(code),
        ...(onProgress === undefined ? {} : { onProgress }),
      });
      pool.release(process);
      return outcome;
    },
    async stop() {
      await pool.stop();
      await staging.remove();
    },
  };
}

/** Whether a process of this id exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits for a condition, at most ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 20) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`still not so after 10 s: ${what}`);
}
