/**
 * What every load generator does, whatever it calls: `concurrency` calls in flight at all times, a warm-up, then a
 * measured window. A generator is a process of its own; it takes orders and reports over the IPC channel of `fork`.
 */
import { quantile } from './statistics.js';

export interface LoadOrder {
  readonly concurrency: number;
  readonly warmMs: number;
  readonly measureMs: number;
}

export interface LoadFigures {
  readonly requests: number;
  /** Calls that were not answered as they should be. */
  readonly errors: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export type GeneratorMessage =
  | { readonly kind: 'ready' }
  /** The warm-up is over: what happens from now on counts. */
  | { readonly kind: 'measuring' }
  | { readonly kind: 'measured'; readonly figures: LoadFigures }
  | { readonly kind: 'failed'; readonly reason: string };

/** One caller: `call` resolves with whether the answer was right. */
export interface Caller {
  call(): Promise<boolean>;
}

/** More answers than any window has; older ones are kept, which is as good as any sample. */
const maxSamples = 2_000_000;

/** Keeps every caller busy; one caller is one call in flight. */
async function drive(
  callers: readonly Caller[],
  order: LoadOrder,
  onMeasuring: () => void,
): Promise<LoadFigures> {
  const latenciesUs: number[] = [];
  let errors = 0;
  let requests = 0;
  let isMeasuring = false;
  const startMs = performance.now();
  const measureAtMs = startMs + order.warmMs;
  const endMs = measureAtMs + order.measureMs;
  let measuredFromMs = measureAtMs;
  let lastMs = startMs;
  const run = async (caller: Caller) => {
    for (let beganMs = performance.now(); beganMs < endMs; ) {
      const isRight = await caller.call();
      const nowMs = performance.now();
      if (isMeasuring) {
        requests += 1;
        if (!isRight) errors += 1;
        if (latenciesUs.length < maxSamples) latenciesUs.push((nowMs - beganMs) * 1000);
        lastMs = nowMs;
      } else if (nowMs >= measureAtMs) {
        isMeasuring = true;
        measuredFromMs = nowMs;
        onMeasuring();
      }
      beganMs = nowMs;
    }
  };
  await Promise.all(callers.slice(0, order.concurrency).map(run));
  const sorted = Float64Array.from(latenciesUs).sort();
  const seconds = (lastMs - measuredFromMs) / 1000;
  return { requests, errors, seconds, p50Us: quantile(sorted, 0.5), p99Us: quantile(sorted, 0.99) };
}

/** Turns this process into a load generator; it ends when its parent goes away. */
export function serveOrders(callers: readonly Caller[]): void {
  const tell = (message: GeneratorMessage) => process.send?.(message);
  process.on('message', (order: LoadOrder) => {
    drive(callers, order, () => tell({ kind: 'measuring' })).then(
      (figures) => tell({ kind: 'measured', figures }),
      (error: unknown) => tell({ kind: 'failed', reason: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
  tell({ kind: 'ready' });
}
