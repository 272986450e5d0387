/**
 * Runs in a thread: `systeminformation` starts processes, some of them synchronously, and `df` hangs with a file server
 * that is away.
 */
import si from 'systeminformation';

export type HostPart = 'static' | 'disks' | 'temperature';

export interface StaticFacts {
  readonly cpuModel: string;
  readonly cpuVendor: string;
  readonly coresPhysical: number;
  readonly freqMhz: number | null;
  readonly distribution: string;
  readonly release: string;
  readonly isVirtual: boolean | null;
}

export interface MountedDisk {
  readonly device: string;
  readonly mount: string;
  readonly fstype: string;
  readonly total: number;
  readonly used: number;
  readonly available: number;
}

/** What one part is on this machine: {@link StaticFacts}, {@link MountedDisk}s, or degrees Celsius (or null). */
export async function run(part: HostPart): Promise<StaticFacts | readonly MountedDisk[] | number | null> {
  if (part === 'disks') return readDisks();
  if (part === 'temperature') return (await si.cpuTemperature()).main ?? null;
  return readStatic();
}

async function readStatic(): Promise<StaticFacts> {
  const [cpu, os, system] = await Promise.all([si.cpu(), si.osInfo(), si.system()]);
  return {
    cpuModel: [cpu.manufacturer, cpu.brand].filter((word) => word !== '').join(' '),
    cpuVendor: cpu.vendor,
    coresPhysical: cpu.physicalCores,
    freqMhz: cpu.speed > 0 ? Math.round(cpu.speed * 1000) : null,
    distribution: os.distro,
    release: os.release,
    isVirtual: typeof system.virtual === 'boolean' ? system.virtual : null,
  };
}

async function readDisks(): Promise<readonly MountedDisk[]> {
  const disks = await si.fsSize();
  return disks.map(({ fs, mount, type, size, used, available }) => ({
    device: fs,
    mount,
    fstype: type,
    total: size,
    used,
    available,
  }));
}
