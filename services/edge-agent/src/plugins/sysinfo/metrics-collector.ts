/**
 * Reads the state of the machine. What is cheap is read each time; what starts processes or may hang comes from probes
 * with a memory (see cached-probe.ts), the dear ones in a thread.
 */
import { readdir } from 'node:fs/promises';
import os from 'node:os';
import type { DiskMetrics, GpuMetrics, NetworkMetrics, SysinfoMetrics } from '@gantry/contracts';
import type { Clock } from '@gantry/kernel';
import type { PluginThreads } from '../../core/ports.js';
import type { HostPart, MountedDisk, StaticFacts } from './adapters/systeminformation/host-facts.worker.js';
import { readMemory } from './adapters/systeminformation/memory.js';
import { CachedProbe } from './cached-probe.js';
import { type CpuTimes, cpuLoadBetween, cpuTimesOf, toPercent } from './cpu-load.js';
import { diskTypeOf } from './disk-type.js';
import { type GpuTools, readGpus } from './gpu/read-gpus.js';
import { type InterfaceFacts, ratePerSecond, readInterfaces } from './network.js';

const hostFactsModule = new URL('./adapters/systeminformation/host-facts.worker.js', import.meta.url);
const threadTimeoutMs = 20_000;
/** Longest wait of one answer for a probe. */
const patienceMs = 3000;

export interface CollectorOptions {
  readonly threads: PluginThreads;
  readonly clock: Clock;
  readonly tools: () => GpuTools;
}

interface Look {
  readonly atMs: number;
  readonly cpus: readonly CpuTimes[];
  readonly interfaces: ReadonlyMap<string, InterfaceFacts>;
}

export class MetricsCollector {
  readonly #clock: Clock;
  readonly #static: CachedProbe<StaticFacts | undefined>;
  readonly #disks: CachedProbe<readonly DiskMetrics[]>;
  readonly #temperature: CachedProbe<number | null>;
  readonly #gpus: CachedProbe<readonly GpuMetrics[]>;
  #last: Look;

  constructor({ threads, clock, tools }: CollectorOptions) {
    this.#clock = clock;
    const inThread = <T>(part: HostPart): Promise<T> =>
      threads.run<T>(hostFactsModule, part, { timeoutMs: threadTimeoutMs });
    const probe = <T>(maxAgeMs: number, initial: T, read: () => Promise<T>) =>
      new CachedProbe<T>({ read, initial, maxAgeMs, timeoutMs: patienceMs, clock });
    this.#static = probe<StaticFacts | undefined>(3600_000, undefined, () => inThread('static'));
    this.#disks = probe<readonly DiskMetrics[]>(30_000, [], async () =>
      toDisks(await inThread<readonly MountedDisk[]>('disks')),
    );
    this.#temperature = probe<number | null>(60_000, null, () => inThread('temperature'));
    this.#gpus = probe<readonly GpuMetrics[]>(8000, [], () => readGpus(tools()));
    this.#last = { atMs: clock.monotonicMs(), cpus: cpuTimesOf(os.cpus()), interfaces: new Map() };
  }

  /** Rates and percentages are since the last collection. */
  async collect(): Promise<SysinfoMetrics> {
    const [facts, disks, temperature, gpus, memory, interfaces, processes] = await Promise.all([
      this.#static.get(),
      this.#disks.get(),
      this.#temperature.get(),
      this.#gpus.get(),
      readMemory(),
      readInterfaces(),
      countProcesses(),
    ]);
    const before = this.#last;
    const now: Look = {
      atMs: this.#clock.monotonicMs(),
      cpus: cpuTimesOf(os.cpus()),
      interfaces: new Map(interfaces.map((one) => [one.name, one])),
    };
    this.#last = now;
    const load = cpuLoadBetween(before.cpus, now.cpus);
    const [load1 = 0, load5 = 0, load15 = 0] = os.loadavg();
    const stale = Object.entries({ system: facts, disks, temperature, gpus });
    return {
      collected_at: new Date(this.#clock.now()).toISOString(),
      system: {
        hostname: os.hostname(),
        uptime: os.uptime(),
        kernel: `${os.type()} ${os.release()}`,
        arch: os.machine(),
        platform: os.platform(),
        distribution: facts.value?.distribution ?? '',
        release: facts.value?.release ?? '',
        virtual: facts.value?.isVirtual ?? null,
        processes,
      },
      cpu: {
        model: facts.value?.cpuModel ?? os.cpus()[0]?.model ?? 'unknown',
        vendor: facts.value?.cpuVendor ?? '',
        cores_physical: facts.value?.coresPhysical ?? os.cpus().length,
        cores_logical: os.cpus().length,
        percent: load.percent,
        percent_per_core: [...load.perCore],
        load_avg: [load1, load5, load15],
        freq_mhz: currentMhz() ?? facts.value?.freqMhz ?? null,
        temperature_c: temperature.value,
      },
      memory: {
        total: memory.total,
        available: memory.available,
        percent: toPercent(1 - memory.available / memory.total),
        used: memory.total - memory.available,
        swap_total: memory.swapTotal,
        swap_used: memory.swapUsed,
      },
      disks: [...disks.value],
      network: interfaces.map((one) => toNetwork(one, before, now.atMs)),
      gpus: [...gpus.value],
      stale: stale.flatMap(([name, { isStale }]) => (isStale ? [name] : [])),
    };
  }
}

function toNetwork(one: InterfaceFacts, before: Look, nowMs: number): NetworkMetrics {
  const earlier = before.interfaces.get(one.name);
  const elapsedMs = nowMs - before.atMs;
  return {
    interface: one.name,
    ip: one.ip,
    ip6: one.ip6,
    mac: one.mac,
    rx_bytes: one.rxBytes,
    tx_bytes: one.txBytes,
    rx_bytes_per_second: ratePerSecond(earlier?.rxBytes, one.rxBytes, elapsedMs),
    tx_bytes_per_second: ratePerSecond(earlier?.txBytes, one.txBytes, elapsedMs),
    speed_mbps: one.speedMbps,
  };
}

/** Without the pseudo file systems; images such as those of snaps are always full and say nothing. */
function toDisks(disks: readonly MountedDisk[]): Promise<readonly DiskMetrics[]> {
  return Promise.all(
    disks
      .filter(({ total, fstype }) => total > 0 && !/^(squashfs|overlay|tmpfs|devtmpfs|iso9660)$/.test(fstype))
      .map(async (disk) => ({
        mount: disk.mount,
        device: disk.device,
        fstype: disk.fstype,
        type: await diskTypeOf(disk.device, disk.fstype),
        total: disk.total,
        used: disk.used,
        available: disk.available,
        // What a user can fill: blocks kept for root count as neither.
        percent: toPercent(disk.used / (disk.used + disk.available)),
      })),
  );
}

/** 0 is what virtual machines say. */
function currentMhz(): number | null {
  const speeds = os.cpus().map(({ speed }) => speed);
  const known = speeds.filter((speed) => speed > 0);
  return known.length === 0 ? null : Math.round(known.reduce((sum, one) => sum + one, 0) / known.length);
}

async function countProcesses(): Promise<number | null> {
  const names = await readdir('/proc').catch(() => []);
  const count = names.filter((name) => /^\d+$/.test(name)).length;
  return count === 0 ? null : count;
}
