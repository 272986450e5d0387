import type { OutgoingMessage } from '../../ports.js';

/** A message in a queue. */
export interface StoredMessage {
  readonly message: OutgoingMessage;
  /** Where it stands in its queue, kept when it is put back. */
  readonly position: number;
  /** On the monotonic clock. */
  readonly expiresAtMs: number | undefined;
  /** How often it was handed to a consumer. */
  deliveryCount: number;
}

/** Taken slots before the array is cut, if they are half of it: each message is copied once at most. */
const compactAfter = 1024;

/**
 * The messages of a queue that wait for a consumer, in the order of their positions.
 *
 * I1  `#fresh` from `#head` on holds messages in the order they came.
 * I2  `#returned` is sorted by position; it holds only what was taken before, so it is short.
 */
export class MessageLine {
  #fresh: (StoredMessage | undefined)[] = [];
  #head = 0;
  readonly #returned: StoredMessage[] = [];
  #sizeBytes = 0;

  get length(): number {
    return this.#fresh.length - this.#head + this.#returned.length;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  push(stored: StoredMessage): void {
    this.#fresh.push(stored);
    this.#sizeBytes += stored.message.content.length;
  }

  /** Back to where it stood (I2). */
  putBack(stored: StoredMessage): void {
    let index = this.#returned.length;
    while (index > 0 && (this.#returned[index - 1]?.position ?? -1) > stored.position) index -= 1;
    this.#returned.splice(index, 0, stored);
    this.#sizeBytes += stored.message.content.length;
  }

  peek(): StoredMessage | undefined {
    const fresh = this.#fresh[this.#head];
    const returned = this.#returned[0];
    if (fresh === undefined || returned === undefined) return fresh ?? returned;
    return returned.position < fresh.position ? returned : fresh;
  }

  take(): StoredMessage | undefined {
    const next = this.peek();
    if (next === undefined) return undefined;
    if (next === this.#returned[0]) this.#returned.shift();
    else this.#dropFresh();
    this.#sizeBytes -= next.message.content.length;
    return next;
  }

  #dropFresh(): void {
    // Emptied at once: a dead slot must not keep a message of megabytes alive.
    this.#fresh[this.#head] = undefined;
    this.#head += 1;
    const isWorthIt = this.#head >= compactAfter && this.#head * 2 >= this.#fresh.length;
    if (!isWorthIt && this.#head < this.#fresh.length) return;
    this.#fresh = this.#fresh.slice(this.#head);
    this.#head = 0;
  }
}
