import { z } from 'zod';

/**
 * The plugin `sysinfo` of an edge node. Sizes are bytes except where the name says MiB; `mem_*` of a GPU are MiB, as
 * the older clients read them. Percentages are 0 to 100. null: not known on this machine.
 */

export const gpuVendors = ['NVIDIA', 'AMD', 'Intel'] as const;

export const gpuMetricsSchema = z.object({
  id: z.string(),
  index: z.number().int().nonnegative(),
  name: z.string(),
  driver_version: z.string(),
  uuid: z.string(),
  vendor: z.enum(gpuVendors),
  util_gpu: z.number().nullable(),
  util_mem: z.number().nullable(),
  mem_total: z.number().nullable(),
  mem_used: z.number().nullable(),
  mem_free: z.number().nullable(),
  temperature_c: z.number().nullable(),
  power_w: z.number().nullable(),
});
export type GpuMetrics = z.infer<typeof gpuMetricsSchema>;

export const diskTypes = ['local ssd', 'local hdd', 'shared', 'unknown'] as const;

export const diskMetricsSchema = z.object({
  mount: z.string(),
  device: z.string(),
  fstype: z.string(),
  type: z.enum(diskTypes),
  total: z.number(),
  used: z.number(),
  available: z.number(),
  percent: z.number(),
});
export type DiskMetrics = z.infer<typeof diskMetricsSchema>;

export const networkMetricsSchema = z.object({
  interface: z.string(),
  ip: z.string(),
  ip6: z.string().nullable(),
  mac: z.string(),
  rx_bytes: z.number(),
  tx_bytes: z.number(),
  rx_bytes_per_second: z.number().nullable(),
  tx_bytes_per_second: z.number().nullable(),
  speed_mbps: z.number().nullable(),
});
export type NetworkMetrics = z.infer<typeof networkMetricsSchema>;

export const sysinfoMetricsSchema = z
  .object({
    collected_at: z.string(),
    system: z.object({
      hostname: z.string(),
      /** Seconds since the boot. */
      uptime: z.number(),
      kernel: z.string(),
      arch: z.string(),
      platform: z.string(),
      distribution: z.string(),
      release: z.string(),
      virtual: z.boolean().nullable(),
      processes: z.number().nullable(),
    }),
    cpu: z.object({
      model: z.string(),
      vendor: z.string(),
      cores_physical: z.number(),
      cores_logical: z.number(),
      percent: z.number(),
      percent_per_core: z.array(z.number()),
      load_avg: z.tuple([z.number(), z.number(), z.number()]),
      freq_mhz: z.number().nullable(),
      temperature_c: z.number().nullable(),
    }),
    memory: z.object({
      total: z.number(),
      available: z.number(),
      percent: z.number(),
      used: z.number(),
      swap_total: z.number(),
      swap_used: z.number(),
    }),
    disks: z.array(diskMetricsSchema),
    network: z.array(networkMetricsSchema),
    gpus: z.array(gpuMetricsSchema),
    /** Names of parts that could not be read this time; their values are the last known ones. */
    stale: z.array(z.string()),
  })
  .meta({ id: 'SysinfoMetrics' });
export type SysinfoMetrics = z.infer<typeof sysinfoMetricsSchema>;

/** One sample of the last hour, and what the event `vitals` carries. */
export const vitalsSchema = z
  .object({
    time: z.string(),
    cpu_percent: z.number(),
    load_1m: z.number(),
    memory_percent: z.number(),
    memory_used: z.number(),
    swap_used: z.number(),
    /** Of the fullest local disk. */
    disk_percent: z.number().nullable(),
    rx_bytes_per_second: z.number().nullable(),
    tx_bytes_per_second: z.number().nullable(),
    temperature_c: z.number().nullable(),
    gpus: z.array(
      z.object({ id: z.string(), util_gpu: z.number().nullable(), mem_used: z.number().nullable() }),
    ),
  })
  .meta({ id: 'Vitals' });
export type Vitals = z.infer<typeof vitalsSchema>;

export const vitalsHistorySchema = z
  .object({ interval_seconds: z.number(), samples: z.array(vitalsSchema) })
  .meta({ id: 'VitalsHistory' });
export type VitalsHistory = z.infer<typeof vitalsHistorySchema>;

export const hostRoleSchema = z.object({
  role: z.enum(['bridge', 'login', 'compute']),
  scheduler: z.string().nullable(),
  job_id: z.string().nullable(),
});
export type HostRole = z.infer<typeof hostRoleSchema>;
