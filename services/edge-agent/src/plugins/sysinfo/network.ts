/** The network interfaces of the machine, from Node and sysfs: nothing is started for it. */
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';

export interface InterfaceFacts {
  readonly name: string;
  readonly ip: string;
  readonly ip6: string | null;
  readonly mac: string;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly speedMbps: number | null;
}

/** All that are up and have an address, without loopback. Counters are 0 where the system does not tell. */
export function readInterfaces(sysRoot = '/sys'): Promise<readonly InterfaceFacts[]> {
  const known = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) => {
    const outer = addresses.filter(({ internal }) => !internal);
    const v4 = outer.find(({ family }) => family === 'IPv4');
    const v6 = outer.find(({ family }) => family === 'IPv6');
    const first = v4 ?? v6;
    if (first === undefined) return [];
    return [{ name, ip: first.address, ip6: v6?.address ?? null, mac: first.mac }];
  });
  return Promise.all(
    known.map(async (one) => {
      const folder = join(sysRoot, 'class/net', one.name);
      const [rx, tx, speed] = await Promise.all([
        readNumber(join(folder, 'statistics/rx_bytes')),
        readNumber(join(folder, 'statistics/tx_bytes')),
        readNumber(join(folder, 'speed')),
      ]);
      // -1 is what drivers say that do not know.
      const speedMbps = speed !== null && speed > 0 ? speed : null;
      return { ...one, rxBytes: rx ?? 0, txBytes: tx ?? 0, speedMbps };
    }),
  );
}

async function readNumber(path: string): Promise<number | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return /^-?\d+\s*$/.test(text) ? Number(text) : null;
}

/** Bytes a second between two looks; null for what was not there before, or was counted anew. */
export function ratePerSecond(before: number | undefined, after: number, elapsedMs: number): number | null {
  if (before === undefined || after < before || elapsedMs <= 0) return null;
  return Math.round(((after - before) * 1000) / elapsedMs);
}
