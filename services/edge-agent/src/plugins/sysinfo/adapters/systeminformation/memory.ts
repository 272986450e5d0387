import si from 'systeminformation';

export interface MemoryFacts {
  readonly total: number;
  readonly available: number;
  readonly swapTotal: number;
  readonly swapUsed: number;
}

/** Bytes. On Linux this reads one file and starts nothing. */
export async function readMemory(): Promise<MemoryFacts> {
  const { total, available, swaptotal, swapused } = await si.mem();
  return { total, available, swapTotal: swaptotal, swapUsed: swapused };
}
