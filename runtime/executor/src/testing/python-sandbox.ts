import { pythonRuntime } from '../languages/python/python-runtime.js';
import type { CallOutcome } from '../sandbox/executor-process.js';
import type { ProcessPool } from '../sandbox/process-pool.js';
import { PythonClient } from './python-client.js';
import { type CallOptions, type FixtureOptions, startSandbox } from './sandbox-fixture.js';

const mebibyte = 1024 ** 2;

export interface Ended {
  /** The repr of the result, or `code: text`. */
  readonly said: string;
  readonly log: string;
}

export interface PythonCallOptions extends CallOptions {
  /** A Python expression for the list of parameters. */
  readonly values?: string;
  /** A Python expression that says what of the result is wanted. */
  readonly show?: string;
}

/** Real processes for Python, and a device to pickle for them. */
export interface PythonSandbox {
  readonly pool: ProcessPool;
  readonly client: PythonClient;
  /** Calls the `f` that the source defines. */
  run(source: string, options?: PythonCallOptions): Promise<Ended>;
  /** The same with bytes as they come; `parameters` is the JSON text. */
  runBytes(code: Buffer, parameters?: string): Promise<Ended>;
  stop(): Promise<void>;
}

export async function startPythonSandbox(options: FixtureOptions = {}): Promise<PythonSandbox> {
  const client = new PythonClient();
  const sandbox = await startSandbox({
    runtimes: [pythonRuntime],
    residentMiB: 600,
    limits: { memoryMiB: 256, resultBytes: 32 * mebibyte },
    ...options,
  });
  const toEnded = async (outcome: CallOutcome, show?: string): Promise<Ended> => {
    const log = outcome.log.toString();
    if (outcome.kind === 'failed') return { said: `${outcome.code}: ${outcome.text}`, log };
    const { res } = JSON.parse(outcome.answer.toString()) as { res: string };
    return { said: await client.show(res, show), log };
  };
  return {
    pool: sandbox.pool,
    client,
    async run(source, { values, show, ...call } = {}) {
      const { fc, params } = await client.dump(source, values);
      const parameters = Buffer.from(JSON.stringify(params));
      const code = Buffer.from(fc, 'base64');
      return toEnded(await sandbox.call(code, [], { language: 'PY', parameters, ...call }), show);
    },
    runBytes: async (code, parameters = '[]') =>
      toEnded(await sandbox.call(code, [], { language: 'PY', parameters: Buffer.from(parameters) })),
    async stop() {
      await client.stop();
      await sandbox.stop();
    },
  };
}
