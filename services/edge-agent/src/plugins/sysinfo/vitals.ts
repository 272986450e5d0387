/** The short form of the metrics: what is kept for an hour and pushed. Pure but for the ring. */
import type { SysinfoMetrics, Vitals } from '@gantry/contracts';

export function toVitals(metrics: SysinfoMetrics): Vitals {
  const local = metrics.disks.filter(({ type }) => type !== 'shared');
  return {
    time: metrics.collected_at,
    cpu_percent: metrics.cpu.percent,
    load_1m: metrics.cpu.load_avg[0],
    memory_percent: metrics.memory.percent,
    memory_used: metrics.memory.used,
    swap_used: metrics.memory.swap_used,
    disk_percent: local.length === 0 ? null : Math.max(...local.map(({ percent }) => percent)),
    rx_bytes_per_second: sumOf(metrics.network.map((one) => one.rx_bytes_per_second)),
    tx_bytes_per_second: sumOf(metrics.network.map((one) => one.tx_bytes_per_second)),
    temperature_c: metrics.cpu.temperature_c,
    gpus: metrics.gpus.map(({ id, util_gpu, mem_used }) => ({ id, util_gpu, mem_used })),
  };
}

function sumOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0);
}

/**
 * Whether a reader would want to know: percentages that moved by a point, sizes by a hundredth of what they were.
 * Smaller changes of an idle machine are not worth a message.
 */
export function isWorthPushing(before: Vitals | undefined, after: Vitals): boolean {
  if (before === undefined) return true;
  return JSON.stringify(coarse(before)) !== JSON.stringify(coarse(after));
}

const coarse = (vitals: Vitals): unknown => ({
  cpu: whole(vitals.cpu_percent),
  load: Math.round(vitals.load_1m * 10),
  memory: whole(vitals.memory_percent),
  swap: magnitude(vitals.swap_used),
  disk: whole(vitals.disk_percent),
  rx: magnitude(vitals.rx_bytes_per_second),
  tx: magnitude(vitals.tx_bytes_per_second),
  temperature: whole(vitals.temperature_c),
  gpus: vitals.gpus.map((gpu) => [gpu.id, whole(gpu.util_gpu), magnitude(gpu.mem_used)]),
});

const whole = (value: number | null): number | null => (value === null ? null : Math.round(value));
/** Two leading digits. */
const magnitude = (value: number | null): number | null =>
  value === null ? null : Number(value.toPrecision(2));

/** The last samples, oldest first: bounded in number, and none that is older than `maxAgeMs` when a new one comes. */
export class SampleRing {
  #samples: Vitals[] = [];
  #capacity: number;
  #maxAgeMs: number;

  constructor(capacity: number, maxAgeMs: number) {
    this.#capacity = capacity;
    this.#maxAgeMs = maxAgeMs;
  }

  resize(capacity: number, maxAgeMs: number): void {
    this.#capacity = capacity;
    this.#maxAgeMs = maxAgeMs;
    this.#samples = this.#samples.slice(-capacity);
  }

  add(sample: Vitals): void {
    // A machine that slept took none meanwhile: what it took before is not of the last hour.
    const oldest = new Date(Date.parse(sample.time) - this.#maxAgeMs).toISOString();
    this.#samples = this.#samples.filter(({ time }) => time >= oldest);
    this.#samples.push(sample);
    if (this.#samples.length > this.#capacity) this.#samples.shift();
  }

  /** @param since ISO time; later samples only */
  since(since: string | undefined): readonly Vitals[] {
    return since === undefined ? [...this.#samples] : this.#samples.filter(({ time }) => time > since);
  }
}
