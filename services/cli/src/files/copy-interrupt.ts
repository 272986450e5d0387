/**
 * Ctrl-C in the middle of a copy: it ends at once, and what arrived is kept for `--resume` on either side.
 */
import { rmSync, statSync } from 'node:fs';
import { note } from '../terminal.js';

/** As shells have it. */
const interruptedCode = 130;

/** Parts of files on this machine that are not whole yet. */
export class CopyInterrupt {
  readonly #parts = new Set<string>();

  begun(part: string): void {
    this.#parts.add(part);
  }
  done(part: string): void {
    this.#parts.delete(part);
  }

  /** What to say when nothing goes on here any more. Parts without a byte are removed: there is nothing to go on with. */
  leave(): string[] {
    const kept = [...this.#parts].filter((part) => {
      const size = statSync(part, { throwIfNoEntry: false })?.size;
      if (size === 0) rmSync(part, { force: true });
      return size !== undefined && size > 0;
    });
    const lines = kept.map((part) => `kept for it: ${part}`);
    return ['interrupted; the same command with --resume goes on with it', ...lines];
  }

  /** Does `work`, and ends the process when a signal comes meanwhile. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const onSignal = () => {
      for (const line of this.leave()) note(line);
      process.exit(interruptedCode);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    try {
      return await work();
    } finally {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
  }
}
