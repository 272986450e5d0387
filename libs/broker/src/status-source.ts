import type { BrokerStatus } from './ports.js';

/** The status of a broker and who wants to hear of its changes. `closed` is final. */
export class StatusSource {
  readonly #listeners = new Set<(status: BrokerStatus) => void>();
  #current: BrokerStatus;

  constructor(initial: BrokerStatus) {
    this.#current = initial;
  }

  get current(): BrokerStatus {
    return this.#current;
  }

  set(status: BrokerStatus): void {
    if (status === this.#current || this.#current === 'closed') return;
    this.#current = status;
    for (const listener of [...this.#listeners]) listener(status);
  }

  subscribe(listener: (status: BrokerStatus) => void): () => void {
    // A closure of its own, so that the same function can listen twice.
    const entry = (status: BrokerStatus) => listener(status);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }
}
