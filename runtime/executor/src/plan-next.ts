/** After so many synchronous calls in a row an asynchronous one has its turn. */
const maxSyncInARow = 8;
/** An asynchronous execution that was held for so long has its turn. */
const maxAsyncWaitMs = 1000;

export interface LaneView {
  readonly hasSync: boolean;
  readonly hasAsync: boolean;
  /** Synchronous calls since the last asynchronous one. */
  readonly syncInARow: number;
  /** How long the asynchronous one was held. */
  readonly asyncWaitedMs: number;
}

/** Which of the (at most two) held deliveries a lane starts next. */
export function planNext(lane: LaneView): 'sync' | 'async' | 'none' {
  if (!lane.hasSync && !lane.hasAsync) return 'none';
  if (!lane.hasAsync) return 'sync';
  if (!lane.hasSync) return 'async';
  return lane.syncInARow >= maxSyncInARow || lane.asyncWaitedMs >= maxAsyncWaitMs ? 'async' : 'sync';
}
