const firstBytes = 256;

/** Bytes that grow as they are written; integers are little-endian. */
export class ByteWriter {
  #bytes = new Uint8Array(firstBytes);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  uint8(...values: readonly number[]): void {
    let start = this.#take(values.length);
    for (const value of values) {
      this.#view.setUint8(start, value);
      start += 1;
    }
  }

  uint16(value: number): void {
    const start = this.#take(2);
    this.#view.setUint16(start, value, true);
  }

  int32(value: number): void {
    const start = this.#take(4);
    this.#view.setInt32(start, value, true);
  }

  uint32(value: number): void {
    const start = this.#take(4);
    this.#view.setUint32(start, value, true);
  }

  uint64(value: number): void {
    const start = this.#take(8);
    this.#view.setBigUint64(start, BigInt(value), true);
  }

  /** Big-endian, as pickle has it. */
  float64(value: number): void {
    const start = this.#take(8);
    this.#view.setFloat64(start, value, false);
  }

  bytes(bytes: Uint8Array): void {
    const start = this.#take(bytes.length);
    this.#bytes.set(bytes, start);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Makes room, which may replace the view; answers where the room begins. */
  #take(length: number): number {
    const start = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return start;
  }
}
