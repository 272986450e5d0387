import { note } from '../terminal.js';

const everyMs = 2000;
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1.5 GiB` */
export function toSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Says on standard error how far a copy is, every two seconds: short ones say nothing. */
export class TransferProgress {
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  /** Files that are under way, with how far each is. */
  readonly #open = new Map<string, number>();
  /** Undefined: nobody knows. */
  readonly #totalBytes: number | undefined;
  #doneBytes = 0;
  #doneFiles = 0;
  /** Not moved in this run: what a resumed file had already. */
  #givenBytes = 0;

  constructor(totalBytes: number | undefined) {
    this.#totalBytes = totalBytes;
    this.#timer = setInterval(() => note(this.toText()), everyMs);
    this.#timer.unref();
  }

  /** `bytes` of a file were there before. */
  given(bytes: number): void {
    this.#givenBytes += bytes;
  }
  at(file: string, bytes: number): void {
    this.#open.set(file, bytes);
  }
  done(file: string, bytes: number): void {
    this.#open.delete(file);
    this.#doneBytes += bytes;
    this.#doneFiles += 1;
  }
  stop(): void {
    clearInterval(this.#timer);
  }

  toText(nowMs = performance.now()): string {
    let bytes = this.#doneBytes;
    for (const part of this.#open.values()) bytes += part;
    const seconds = Math.max(1, (nowMs - this.#startMs) / 1000);
    const speed = `${toSize(Math.max(0, bytes - this.#givenBytes) / seconds)}/s`;
    const total = this.#totalBytes;
    if (total === undefined) return `${this.#doneFiles} files, ${toSize(bytes)} … ${speed}`;
    const percent = total === 0 ? 100 : Math.floor((bytes / total) * 100);
    return `${toSize(bytes)} of ${toSize(total)} (${percent} %) … ${speed}`;
  }
}
