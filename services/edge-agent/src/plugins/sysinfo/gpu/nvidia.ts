/** NVIDIA cards by `nvidia-smi`. Pure but for the list of arguments. */
import type { GpuMetrics } from '@gantry/contracts';
import { parseNumber } from './parse-number.js';

const fields = [
  'index',
  'uuid',
  'driver_version',
  'utilization.gpu',
  'utilization.memory',
  'memory.total',
  'memory.used',
  'memory.free',
  'temperature.gpu',
  'power.draw',
  // Last: a name may hold a comma.
  'name',
] as const;

export const nvidiaArguments: readonly string[] = [
  `--query-gpu=${fields.join(',')}`,
  '--format=csv,noheader,nounits',
];

/** One card a line; `[N/A]` and `[Not Supported]` are null. Lines of another shape are left out. */
export function parseNvidia(output: string): readonly GpuMetrics[] {
  return output.split('\n').flatMap((line) => {
    const cells = line.split(',').map((cell) => cell.trim());
    const index = parseNumber(cells[0]);
    if (cells.length < fields.length || index === null || !Number.isInteger(index)) return [];
    return [
      {
        id: String(index),
        index,
        name: cells.slice(fields.length - 1).join(', '),
        driver_version: cells[2] ?? '',
        uuid: cells[1] ?? '',
        vendor: 'NVIDIA' as const,
        util_gpu: parseNumber(cells[3]),
        util_mem: parseNumber(cells[4]),
        mem_total: parseNumber(cells[5]),
        mem_used: parseNumber(cells[6]),
        mem_free: parseNumber(cells[7]),
        temperature_c: parseNumber(cells[8]),
        power_w: parseNumber(cells[9]),
      },
    ];
  });
}
