import { rename, rm, writeFile } from 'node:fs/promises';
import { type Logger, messageOf, type Part } from '@gantry/kernel';
import type { AgentStatus } from './agent-status.js';

export interface StatusFileOptions {
  readonly path: string;
  readonly read: () => AgentStatus;
  readonly logger: Logger;
  readonly everyMs?: number;
}

const defaultEveryMs = 2000;

/** Keeps a file true while the agent runs. Not synced: after a crash of the machine nobody asks for it. */
export class StatusFile implements Part {
  readonly name = 'status file';
  readonly #options: StatusFileOptions;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #written = '';
  #isFailing = false;

  constructor(options: StatusFileOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#write();
    this.#timer = setInterval(() => {
      this.#writing = this.#writing.then(() => this.#write());
    }, this.#options.everyMs ?? defaultEveryMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await rm(this.#options.path, { force: true });
  }

  /** Never throws: that nobody can look must not end the agent. */
  async #write(): Promise<void> {
    const { logger, path, read } = this.#options;
    try {
      const text = JSON.stringify(read());
      if (text === this.#written) return;
      const draft = `${path}.${process.pid}.new`;
      await writeFile(draft, text, { mode: 0o600 });
      await rename(draft, path);
      this.#written = text;
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) logger.warn('the status file cannot be written', { reason: messageOf(error) });
      this.#isFailing = true;
    }
  }
}
