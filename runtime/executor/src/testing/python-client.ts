import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const deviceFile = fileURLToPath(new URL('../../../python/test/device.py', import.meta.url));

/** What a Python device sends for a function and its parameters; each is base64. */
export interface PythonCall {
  readonly fc: string;
  /** The clients' own hash, which different functions can share. */
  readonly fcHash: string;
  readonly params: readonly string[];
}

/** The device's half in Python itself, with Debian's cloudpickle: real bytes both ways. */
export class PythonClient {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting: { onLine(line: string): void; onEnd(error: Error): void }[] = [];

  constructor() {
    this.#child = spawn('/usr/bin/python3', [deviceFile], { stdio: ['pipe', 'pipe', 'inherit'], env: {} });
    createInterface(this.#child.stdout).on('line', (line) => this.#waiting.shift()?.onLine(line));
    this.#child.once('exit', () => {
      for (const waiting of this.#waiting) waiting.onEnd(new Error('the device ended'));
    });
  }

  /** `source` defines the function `f`; `values` is a Python expression for a list of its parameters. */
  async dump(source: string, values = '[]'): Promise<PythonCall> {
    const { fc, fc_hash, params } = (await this.#ask({ source, values })) as {
      fc: string;
      fc_hash: string;
      params: string[];
    };
    return { fc, fcHash: fc_hash, params };
  }

  /** The repr of a result; `expression` says what of `value` is wanted. */
  async show(res: string, expression = 'value'): Promise<string> {
    return ((await this.#ask({ res, show: expression })) as { text: string }).text;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    await ended;
  }

  #ask(request: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ onLine: (line) => resolve(JSON.parse(line)), onEnd: reject });
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }
}
