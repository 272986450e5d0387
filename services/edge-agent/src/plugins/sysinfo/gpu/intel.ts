/** Intel cards: by `xpu-smi` where it is, else by what the driver i915 or xe writes to sysfs. Parsers are pure. */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { GpuMetrics } from '@gantry/contracts';
import { parseNumber, toMebibytes } from './parse-number.js';

export const xpuDiscoveryArguments: readonly string[] = ['discovery', '-j'];
export const xpuDeviceArguments = (id: number): readonly string[] => ['discovery', '-d', String(id), '-j'];
export const xpuStatsArguments = (id: number): readonly string[] => ['stats', '-d', String(id), '-j'];

type Json = Readonly<Record<string, unknown>>;

/** The ids of the physical devices in the answer of `xpu-smi discovery -j`. */
export function parseXpuDiscovery(output: string): readonly number[] {
  const list = parseObject(output)['device_list'];
  return (Array.isArray(list) ? list.map(asObject) : [])
    .filter((device) => (device['device_function_type'] ?? 'physical') === 'physical')
    .flatMap((device) => parseNumber(device['device_id']) ?? []);
}

/**
 * One device of what `discovery -d N -j` and `stats -d N -j` say. On cards of several tiles the device level leaves
 * values out; the mean of the tiles stands for them.
 */
export function parseXpuDevice(id: number, deviceOutput: string, statsOutput: string): GpuMetrics {
  const device = parseObject(deviceOutput);
  const stats = parseObject(statsOutput);
  const metric = (type: string) => metricOf(stats, type);
  const total = toMebibytes(parseNumber(device['memory_physical_size_byte']));
  const used = roundOf(metric('XPUM_STATS_MEMORY_USED'));
  return {
    id: String(id),
    index: id,
    name: textOf(device['device_name']) ?? 'Intel GPU',
    driver_version: textOf(device['driver_version']) ?? '',
    uuid: textOf(device['uuid']) ?? '',
    vendor: 'Intel',
    util_gpu: metric('XPUM_STATS_GPU_UTILIZATION'),
    util_mem: metric('XPUM_STATS_MEMORY_UTILIZATION'),
    mem_total: total,
    mem_used: used,
    mem_free: total === null || used === null ? null : total - used,
    temperature_c: metric('XPUM_STATS_GPU_CORE_TEMPERATURE'),
    power_w: metric('XPUM_STATS_POWER'),
  };
}

function metricOf(stats: Json, type: string): number | null {
  const ofDevice = valuesOf(stats['device_level'], type);
  if (ofDevice.length > 0) return ofDevice[0] ?? null;
  const tiles = Array.isArray(stats['tile_level']) ? stats['tile_level'].map(asObject) : [];
  const ofTiles = tiles.flatMap((tile) => valuesOf(tile['data_list'], type));
  if (ofTiles.length === 0) return null;
  const sum = ofTiles.reduce((all, one) => all + one, 0);
  // Memory and power of tiles add up, the rest is a mean.
  return /MEMORY_USED|POWER/.test(type) ? sum : sum / ofTiles.length;
}

const valuesOf = (list: unknown, type: string): readonly number[] =>
  (Array.isArray(list) ? list.map(asObject) : [])
    .filter((entry) => entry['metrics_type'] === type)
    .flatMap((entry) => parseNumber(entry['value']) ?? []);

const roundOf = (value: number | null): number | null => (value === null ? null : Math.round(value));
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};

function parseObject(output: string): Json {
  try {
    return asObject(JSON.parse(output.slice(Math.max(0, output.indexOf('{')))));
  } catch {
    return {};
  }
}

const intelVendor = '0x8086';

/** What sysfs says of one card; a file that is not there is undefined. */
interface DrmCard {
  readonly name: string;
  readonly vendor: string | undefined;
  readonly device: string | undefined;
  readonly driver: string | undefined;
  readonly lmemTotalBytes: string | undefined;
  readonly lmemAvailableBytes: string | undefined;
  readonly temperatureMilliC: string | undefined;
}

/** undefined for cards of other makers. Utilisation is not in sysfs. */
function parseDrmCard(card: DrmCard): GpuMetrics | undefined {
  if (card.vendor?.trim() !== intelVendor) return undefined;
  const total = toMebibytes(parseNumber(card.lmemTotalBytes));
  const free = toMebibytes(parseNumber(card.lmemAvailableBytes));
  const temperature = parseNumber(card.temperatureMilliC);
  return {
    id: card.name,
    index: Number(card.name.slice('card'.length)),
    name: `Intel GPU ${card.device?.trim() ?? ''}`.trim(),
    driver_version: card.driver ?? '',
    uuid: '',
    vendor: 'Intel',
    util_gpu: null,
    util_mem: total === null || total === 0 || free === null ? null : Math.round((1 - free / total) * 100),
    mem_total: total,
    mem_used: total === null || free === null ? null : total - free,
    mem_free: free,
    temperature_c: temperature === null ? null : temperature / 1000,
    power_w: null,
  };
}

/** @param sysRoot `/sys`, or a copy of it in tests */
export async function readIntelFromSysfs(sysRoot = '/sys'): Promise<readonly GpuMetrics[]> {
  const folder = join(sysRoot, 'class/drm');
  const names = await readdir(folder).catch(() => []);
  const cards = await Promise.all(
    names.filter((name) => /^card\d+$/.test(name)).map((name) => readCard(folder, name)),
  );
  return cards.flatMap((card) => parseDrmCard(card) ?? []);
}

async function readCard(folder: string, name: string): Promise<DrmCard> {
  const text = (path: string) => readFile(join(folder, name, path), 'utf8').catch(() => undefined);
  const hwmons = await readdir(join(folder, name, 'device/hwmon')).catch(() => []);
  const [vendor, device, lmemTotalBytes, lmemAvailableBytes, temperatureMilliC, driver] = await Promise.all([
    text('device/vendor'),
    text('device/device'),
    text('lmem_total_bytes'),
    text('lmem_avail_bytes'),
    hwmons[0] === undefined ? undefined : text(`device/hwmon/${hwmons[0]}/temp1_input`),
    realpath(join(folder, name, 'device/driver')).then(basename, () => undefined),
  ]);
  return { name, vendor, device, driver, lmemTotalBytes, lmemAvailableBytes, temperatureMilliC };
}
