import { z } from 'zod';

/** The plugin `queue-info` of an edge node: what its batch system has and does. null: not known, or no limit is set. */

/** Minutes. */
const timeLimitSchema = z.union([z.number(), z.literal('UNLIMITED')]).nullable();

/** What a job in a queue may ask for at most, and gets when it does not ask; null: no limit. */
export const queueLimitsSchema = z.object({
  min_nodes: z.number().nullable(),
  max_cpus_per_node: z.number().nullable(),
  max_mem_per_node_mb: z.number().nullable(),
  max_mem_per_cpu_mb: z.number().nullable(),
  default_mem_per_node_mb: z.number().nullable(),
  default_mem_per_cpu_mb: z.number().nullable(),
  /** Only of these; null: of any that is not denied. */
  allowed_accounts: z.array(z.string()).nullable(),
  allowed_groups: z.array(z.string()).nullable(),
  allowed_qos: z.array(z.string()).nullable(),
  denied_accounts: z.array(z.string()),
  denied_qos: z.array(z.string()),
});
export type QueueLimits = z.infer<typeof queueLimitsSchema>;

export const queueSchema = z
  .object({
    name: z.string(),
    /** As the scheduler says: `UP`, `DOWN`, `DRAIN`, `INACTIVE`. */
    state: z.string(),
    time_limit: timeLimitSchema,
    default_time: timeLimitSchema,
    default: z.boolean(),
    max_nodes: z.number().nullable(),
    nodes_total: z.number(),
    /** That could run a job now or later, without those that are down or being emptied. */
    nodes_available: z.number(),
    nodes_idle: z.number(),
    cpus_total: z.number(),
    cpus_idle: z.number(),
    /** Of the largest node. */
    cpus_per_node: z.number(),
    mem_per_node_mb: z.number(),
    gpus_per_node: z.number(),
    max_jobs_per_user: z.number().nullable(),
    limits: queueLimitsSchema,
    features: z.array(z.string()),
  })
  .meta({ id: 'Queue' });
export type Queue = z.infer<typeof queueSchema>;
export const queueListSchema = z.object({ queues: z.record(z.string(), queueSchema) });

export const queueNodeSchema = z
  .object({
    name: z.string(),
    /** `IDLE`, `MIXED`, `ALLOCATED`, `DOWN`, with flags such as `DRAIN`. */
    state: z.array(z.string()),
    is_available: z.boolean(),
    is_idle: z.boolean(),
    queues: z.array(z.string()),
    cpus: z.number(),
    cpus_allocated: z.number(),
    memory_mb: z.number(),
    memory_allocated_mb: z.number(),
    gpus: z.number(),
    features: z.array(z.string()),
    reason: z.string().nullable(),
  })
  .meta({ id: 'QueueNode' });
export type QueueNode = z.infer<typeof queueNodeSchema>;
export const queueNodeListSchema = z.object({ nodes: z.array(queueNodeSchema) });

export const queuedJobSchema = z
  .object({
    /** `12`, or `12_3` for an element of an array. */
    job_id: z.string(),
    job_name: z.string(),
    user: z.string(),
    partition: z.string(),
    /** As the scheduler says: `RUNNING`, `PENDING` … */
    state: z.string(),
    reason: z.string().nullable(),
    nodes: z.number(),
    cpus: z.number(),
    time_limit: timeLimitSchema,
    /** Seconds. */
    time_used: z.number(),
    /** Seconds since 1970. */
    submit_time: z.number().nullable(),
    start_time: z.number().nullable(),
    priority: z.number().nullable(),
    account: z.string(),
    node_list: z.string(),
  })
  .meta({ id: 'QueuedJob' });
export type QueuedJob = z.infer<typeof queuedJobSchema>;
/** `is_complete` is false when there are more than are listed. */
export const queuedJobListSchema = z.object({ jobs: z.array(queuedJobSchema), is_complete: z.boolean() });

export const allocationSchema = z
  .object({
    account: z.string(),
    user: z.string(),
    fairshare: z.number().nullable(),
    qos: z.array(z.string()),
    max_jobs: z.number().nullable(),
    max_submit: z.number().nullable(),
    max_wall: z.string().nullable(),
    grp_tres: z.string().nullable(),
    allocated_node_hours: z.number().nullable(),
    used_node_hours: z.number().nullable(),
    remaining_node_hours: z.number().nullable(),
  })
  .meta({ id: 'Allocation' });
export type Allocation = z.infer<typeof allocationSchema>;
export const allocationListSchema = z.object({ allocations: z.array(allocationSchema) });

/** The job of a batch system that the agent itself runs in. */
export const jobAllocationSchema = z.object({
  allocation: z
    .object({
      job_id: z.string(),
      partition: z.string().nullable(),
      n_nodes: z.number().nullable(),
      nodelist: z.string().nullable(),
      cpus_per_node: z.number().nullable(),
      gpus_per_node: z.number().nullable(),
      account: z.string().nullable(),
      job_name: z.string().nullable(),
      /** Seconds since it began. */
      runtime: z.number().nullable(),
    })
    .nullable(),
});
export type JobAllocation = z.infer<typeof jobAllocationSchema>;
