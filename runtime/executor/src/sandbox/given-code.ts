/**
 * Which code a process certainly has, so that it cannot ask for it again.
 *
 * I1  Code counts as given once a call with it succeeded: a program may have dropped what it could not load, or what
 *     came after its call was cancelled.
 * I2  A program drops the oldest code it has when there is more than `maxBytes`. Everything is forgotten here before
 *     that much was sent since, so nothing it dropped is counted as given.
 * I3  A program that runs one function in its life may have only the last.
 */
export class GivenCode {
  readonly #maxBytes: number;
  readonly #isOne: boolean;
  readonly #given = new Set<string>();
  #sentBytes = 0;

  constructor(functionsPerProcess: 'one' | 'many', maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#isOne = functionsPerProcess === 'one';
  }

  has(key: string): boolean {
    return this.#given.has(key);
  }

  wasSent(sizeBytes: number): void {
    this.#sentBytes += sizeBytes;
    if (!this.#isOne && this.#sentBytes <= this.#maxBytes) return;
    this.#given.clear(); // I2, I3
    this.#sentBytes = sizeBytes;
  }

  succeeded(key: string): void {
    this.#given.add(key); // I1
  }
}
