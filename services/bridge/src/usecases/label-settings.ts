/** What the store says of settings for labels, read at most every two seconds: connecting nodes and lists ask for it. */
import type { AgentConfigDocument } from '@gantry/contracts';
import type { Clock } from '@gantry/kernel';
import type { LabelSettingsStore } from '@gantry/store';

const freshMs = 2000;

/** By label, in the order of the labels. */
export type LabelDocuments = ReadonlyMap<string, AgentConfigDocument>;

export class LabelSettingsRecords {
  readonly #store: Pick<LabelSettingsStore, 'list'>;
  readonly #clock: Clock;
  #kept: { readonly documents: LabelDocuments; readonly readMs: number } | undefined;

  constructor(store: Pick<LabelSettingsStore, 'list'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** @throws {AppError} store-unavailable */
  async all(): Promise<LabelDocuments> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#kept !== undefined && nowMs - this.#kept.readMs < freshMs) return this.#kept.documents;
    const rows = await this.#store.list();
    const documents = new Map(rows.map(({ label, settings }) => [label, settings]));
    this.#kept = { documents, readMs: nowMs };
    return documents;
  }

  /** A change made through this bridge is in force for the next that asks. */
  forget(): void {
    this.#kept = undefined;
  }
}
