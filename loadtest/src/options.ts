import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly jsonFile: string | undefined;
  readonly repeats: number;
  /** Load after each change of workers, not measured: new processes run uncompiled code at first. */
  readonly settleMs: number;
  readonly warmMs: number;
  readonly measureMs: number;
  readonly concurrencies: readonly number[];
  /** Body of a request, bare and through the pipeline. */
  readonly sizeBytes: number;
}

const full = { repeats: 3, settleMs: 8000, warmMs: 1000, measureMs: 5000 };
const quick = { repeats: 3, settleMs: 4000, warmMs: 500, measureMs: 1500 };

/** Options of `npm run bench --`. @throws TypeError for an unknown one */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  return {
    ...(values.quick ? quick : full),
    jsonFile: values.json,
    concurrencies: [1, 8, 32],
    sizeBytes: 200,
  };
}
