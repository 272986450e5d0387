import type { RequestOptions } from './transport.js';

/** How to page through a list. */
export interface ListOptions extends RequestOptions {
  /** Items a page, 1 to 200. */
  readonly limit?: number;
}

/** One page of a list. `next_cursor` is null on the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

/** A list that is fetched page by page: `for await (const item of list)`, or `page()` for one page. */
export class Paged<T> implements AsyncIterable<T> {
  readonly #fetchPage: (cursor: string | undefined) => Promise<Page<T>>;

  constructor(fetchPage: (cursor: string | undefined) => Promise<Page<T>>) {
    this.#fetchPage = fetchPage;
  }

  /** One page: the first, or the one at `cursor`. */
  page(cursor?: string): Promise<Page<T>> {
    return this.#fetchPage(cursor);
  }

  /** The first items, `maxItems` at most. */
  async toArray(maxItems: number): Promise<T[]> {
    const items: T[] = [];
    if (maxItems <= 0) return items;
    for await (const item of this) {
      items.push(item);
      // Before the next item is asked for: it could be the first of another page.
      if (items.length >= maxItems) break;
    }
    return items;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    let cursor: string | undefined;
    do {
      const page = await this.#fetchPage(cursor);
      yield* page.items;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }
}
