import { z } from 'zod';

/**
 * The plugin `jobs` of an edge node: what is run there, by which executor, and how it went. Longer than most files,
 * because the spec of older clients stands beside the one that it is translated to.
 */

export const jobExecutors = ['local', 'slurm'] as const;
export type JobExecutorName = (typeof jobExecutors)[number];

/** As PSI/J has them, without the ones of staging. */
export const jobStates = ['NEW', 'QUEUED', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELED'] as const;
export type JobState = (typeof jobStates)[number];

/** Whether nothing comes after a state. */
export const isFinalJobState = (state: JobState): boolean =>
  state === 'COMPLETED' || state === 'FAILED' || state === 'CANCELED';

/** Most elements of one array. */
export const maxArrayElements = 1000;

/** What a process can be handed: NUL ends a string there, and half a surrogate pair is not a character of UTF-8. */
const textSchema = z
  .string()
  .max(131_071)
  .refine((text) => !text.includes('\0'), 'must not contain NUL')
  .refine((text) => !/\p{Cs}/u.test(text), 'must be whole characters');
const wordSchema = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{Cc}\s]+$/u, 'must not contain spaces or control characters');
const pathSchema = textSchema.min(1).max(4096);
const absolutePathSchema = pathSchema.startsWith('/', 'must be absolute');
const countSchema = z.number().int().positive().max(1_000_000);
const environmentNameSchema = z
  .string()
  .max(256)
  .regex(/^[A-Za-z_]\w*$/, 'must be the name of a variable');
const customValueSchema = z.union([textSchema.max(4096), z.number(), z.boolean()]);
const customAttributesSchema = z.record(z.string().min(1).max(128), customValueSchema);

const memoryUnits: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/** Bytes, or a text such as `512M` with a unit of powers of 1024; read as bytes. */
export const memorySchema = z
  .union([
    z.number().int().positive(),
    z.string().regex(/^[1-9]\d{0,12}[KMGT]?$/, 'must be such as 512M or 4G'),
  ])
  .transform((memory) =>
    typeof memory === 'number'
      ? memory
      : Number.parseInt(memory, 10) * (memoryUnits[memory.replace(/\d+/, '')] ?? 1),
  );

export const jobResourcesSchema = z.strictObject({
  nodes: countSchema.optional(),
  /** Of the whole job. The executable is started once and starts the others itself, unless `launcher` does. */
  processes: countSchema.optional(),
  processes_per_node: countSchema.optional(),
  cores_per_process: countSchema.optional(),
  gpus_per_process: countSchema.optional(),
  /** Of each node, in bytes. */
  memory: memorySchema.optional(),
  /** Nobody else's jobs on its nodes. */
  exclusive: z.boolean().optional(),
});

/** `0-9,15,20-40:5`: what Slurm reads too. */
export const arrayIndicesSchema = z
  .string()
  .max(1024)
  .regex(/^\d{1,9}(-\d{1,9}(:\d{1,9})?)?(,\d{1,9}(-\d{1,9}(:\d{1,9})?)?)*$/, 'must be such as 0-9,15,20-40:5')
  .refine((text) => countIndices(text) <= maxArrayElements, `must be at most ${maxArrayElements} elements`)
  .refine((text) => countIndices(text) > 0, 'must be at least one element, and ranges must ascend');

export const jobArraySchema = z.strictObject({
  indices: arrayIndicesSchema,
  /** How many elements run at a time; all unless given. */
  max_running: countSchema.optional(),
});

export const dependencyConditions = ['after', 'afterany', 'afterok', 'afternotok'] as const;
export const jobDependencySchema = z.strictObject({
  job_id: z.string().min(1).max(64),
  condition: z.enum(dependencyConditions),
});
export type JobDependency = z.infer<typeof jobDependencySchema>;

const commonFields = {
  name: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[^\p{Cc}]+$/u, 'must not contain control characters')
    .optional(),
  /** A path, or a name that is looked for in PATH. Never read by a shell, nor are the arguments. */
  executable: pathSchema.regex(/^[^-]/, 'must not begin with "-"'),
  arguments: z.array(textSchema).max(10_000).default([]),
  /** The home folder of the user of the agent unless given. */
  directory: absolutePathSchema.optional(),
  /** Added to the few variables that every job has. */
  environment: z.record(environmentNameSchema, textSchema).default({}),
  stdin_path: pathSchema.optional(),
  /** Relative ones begin at `directory`; `{index}` is the element of an array. Kept with the job unless given. */
  stdout_path: pathSchema.optional(),
  stderr_path: pathSchema.optional(),
};

export const jobSpecSchema = z
  .strictObject({
    ...commonFields,
    resources: jobResourcesSchema.default({}),
    /** `srun`: the executor starts one copy per process; `single`: one, on the first node. */
    launcher: z.enum(['single', 'srun']).default('single'),
    /** Seconds that it may run. */
    duration: countSchema.max(31_536_000).optional(),
    queue: wordSchema.optional(),
    account: wordSchema.optional(),
    reservation: wordSchema.optional(),
    /** Features of the nodes, in the words of the scheduler. */
    constraints: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[^\p{Cc}]+$/u)
      .optional(),
    /** More options by executor: `slurm.qos`. One that the executor does not know is refused. */
    custom_attributes: customAttributesSchema.default({}),
    array: jobArraySchema.optional(),
    dependencies: z.array(jobDependencySchema).max(100).default([]),
    /** Waits until it is released. */
    hold: z.boolean().default(false),
  })
  .superRefine((spec, context) => {
    for (const field of ['stdout_path', 'stderr_path'] as const)
      if (spec.array !== undefined && spec[field] !== undefined && !spec[field].includes('{index}'))
        context.addIssue({
          code: 'custom',
          path: [field],
          message: 'must contain {index}: elements write one each',
        });
    const { nodes, processes, processes_per_node: perNode } = spec.resources;
    if (nodes === undefined || processes === undefined || perNode === undefined) return;
    if (processes > nodes * perNode)
      context.addIssue({
        code: 'custom',
        path: ['resources', 'processes'],
        message: `${processes} are more than ${nodes} nodes with ${perNode} each`,
      });
  })
  .meta({ id: 'JobSpec' });
export type JobSpec = z.infer<typeof jobSpecSchema>;

export const jobSubmitSchema = z.strictObject({
  executor: z.enum(jobExecutors).default('local'),
  spec: jobSpecSchema,
});

/** `attributes` of the older clients; keys with a dot there are custom attributes. */
const psijAttributesSchema = z
  .looseObject({
    /** Seconds. */
    duration: z
      .union([
        countSchema,
        z
          .string()
          .regex(/^[1-9]\d{0,7}$/, 'must be seconds')
          .transform(Number),
      ])
      .nullish(),
    queue_name: wordSchema.nullish(),
    account: wordSchema.nullish(),
    project_name: wordSchema.nullish(),
    reservation_id: wordSchema.nullish(),
    node_count: z
      .union([
        countSchema,
        z
          .string()
          .regex(/^[1-9]\d{0,5}$/, 'must be a number')
          .transform(Number),
      ])
      .nullish(),
    custom_attributes: customAttributesSchema.nullish(),
  })
  .superRefine((attributes, context) => {
    for (const [key, value] of Object.entries(attributes)) {
      if (psijAttributeNames.includes(key)) continue;
      if (!key.includes('.'))
        context.addIssue({ code: 'custom', path: [key], message: `Unrecognized key: "${key}"` });
      else if (!customValueSchema.safeParse(value).success)
        context.addIssue({ code: 'custom', path: [key], message: 'must be a text, a number or a boolean' });
    }
  });
const psijAttributeNames = [
  'duration',
  'queue_name',
  'account',
  'project_name',
  'reservation_id',
  'node_count',
  'custom_attributes',
];

const psijResourcesSchema = z.strictObject({
  node_count: countSchema.nullish(),
  exclusive_node_use: z.boolean().nullish(),
  process_count: countSchema.nullish(),
  processes_per_node: countSchema.nullish(),
  cpu_cores_per_process: countSchema.nullish(),
  gpu_cores_per_process: countSchema.nullish(),
  memory: memorySchema.nullish(),
});

/** The job spec of the older plugin `psij`, with what PSI/J itself has beside. */
export const psijSpecSchema = z
  .strictObject({
    name: commonFields.name.nullable(),
    executable: commonFields.executable,
    arguments: z.array(textSchema).max(10_000).nullish(),
    directory: absolutePathSchema.nullish(),
    environment: z
      .record(environmentNameSchema, z.union([textSchema, z.number().transform(String)]))
      .nullish(),
    stdin_path: pathSchema.nullish(),
    stdout_path: pathSchema.nullish(),
    stderr_path: pathSchema.nullish(),
    attributes: psijAttributesSchema.nullish(),
    resources: psijResourcesSchema.nullish(),
    launcher: z.enum(['single', 'srun']).nullish(),
    custom_attributes: customAttributesSchema.nullish(),
  })
  .superRefine((spec, context) => {
    const { attributes, resources } = spec;
    // Said twice in two ways, one of them would be dropped.
    const refuseUnlikes = (path: readonly string[], one: unknown, other: unknown, where: string) => {
      if (one != null && other != null && one !== other)
        context.addIssue({
          code: 'custom',
          path: [...path],
          message: `${path.at(-1)} is not what ${where} says`,
        });
    };
    refuseUnlikes(['attributes', 'project_name'], attributes?.project_name, attributes?.account, 'account');
    const nodes = attributes?.node_count ?? resources?.node_count ?? undefined;
    refuseUnlikes(['resources', 'node_count'], resources?.node_count, nodes, 'attributes');
    for (const [key, value] of Object.entries(spec.custom_attributes ?? {})) {
      const inside = attributes?.custom_attributes?.[key] ?? attributes?.[key];
      refuseUnlikes(['custom_attributes', key], value, inside, 'attributes');
    }
    for (const [key, value] of Object.entries(attributes?.custom_attributes ?? {}))
      refuseUnlikes(['attributes', 'custom_attributes', key], value, attributes?.[key], 'attributes');
    const { processes_per_node: perNode, process_count: processes } = resources ?? {};
    if (perNode != null && processes != null && nodes !== undefined && processes !== perNode * nodes)
      context.addIssue({
        code: 'custom',
        path: ['resources', 'process_count'],
        message: 'process_count is not nodes x processes_per_node',
      });
  });
export type PsijSpec = z.infer<typeof psijSpecSchema>;

export const psijSubmitSchema = z.strictObject({
  job_spec: psijSpecSchema,
  executor: z.string().max(64).default('local'),
});

/** A job that is an edge service itself, and whether it is to reach its bridge through a tunnel by way of this node. */
export const psijSubmitTunneledSchema = psijSubmitSchema.extend({ tunnel: z.boolean().default(true) });

/** The same job in our own words. Pure. */
export function fromPsijSpec(spec: PsijSpec): JobSpec {
  const { attributes, resources } = spec;
  const dotted = Object.entries(attributes ?? {}).filter(([key]) => key.includes('.'));
  const nodes = attributes?.node_count ?? resources?.node_count ?? undefined;
  const perNode = resources?.processes_per_node ?? undefined;
  const processes = resources?.process_count ?? (perNode === undefined ? undefined : perNode * (nodes ?? 1));
  const custom = {
    ...Object.fromEntries(dotted as [string, string | number | boolean][]),
    ...attributes?.custom_attributes,
    ...spec.custom_attributes,
  };
  return jobSpecSchema.parse(
    withoutEmpty({
      name: spec.name,
      executable: spec.executable,
      arguments: spec.arguments,
      directory: spec.directory,
      environment: spec.environment,
      stdin_path: spec.stdin_path,
      stdout_path: spec.stdout_path,
      stderr_path: spec.stderr_path,
      launcher: spec.launcher,
      resources: withoutEmpty({
        nodes,
        processes,
        processes_per_node: perNode,
        cores_per_process: resources?.cpu_cores_per_process,
        gpus_per_process: resources?.gpu_cores_per_process,
        memory: resources?.memory,
        exclusive: resources?.exclusive_node_use,
      }),
      duration: attributes?.duration,
      queue: attributes?.queue_name,
      account: attributes?.account ?? attributes?.project_name,
      reservation: attributes?.reservation_id,
      custom_attributes: custom,
    }),
  );
}

const withoutEmpty = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));

/** The elements of an array in ascending order, each once. Pure. */
export function listIndices(indices: string): readonly number[] {
  const found = new Set<number>();
  for (const part of indices.split(',')) {
    const { first, last, step } = readRange(part);
    for (let index = first; index <= last; index += step) found.add(index);
  }
  return [...found].sort((a, b) => a - b);
}

/** An upper bound that costs nothing to find; 0 when a range is empty. */
function countIndices(indices: string): number {
  let count = 0;
  for (const part of indices.split(',')) {
    const { first, last, step } = readRange(part);
    if (last < first || step < 1) return 0;
    count += Math.floor((last - first) / step) + 1;
  }
  return count;
}

function readRange(part: string): { first: number; last: number; step: number } {
  const [range = '', step = '1'] = part.split(':');
  const [first = '', last = first] = range.split('-');
  return { first: Number(first), last: Number(last), step: Number(step) };
}

/** One element of an array, or the whole of a job that is none (`index` null). */
export const jobTaskSchema = z.object({
  index: z.number().int().nullable(),
  state: z.enum(jobStates),
  /** 128 + signal when it was ended by one; null while it runs, and when nobody knows. */
  exit_code: z.number().int().nullable(),
  message: z.string().nullable(),
  started_at: z.string().nullable(),
  ended_at: z.string().nullable(),
});
export type JobTask = z.infer<typeof jobTaskSchema>;

export const jobSummarySchema = z
  .object({
    job_id: z.string(),
    /** What the scheduler calls it; null until it has it. */
    native_id: z.string().nullable(),
    name: z.string().nullable(),
    owner: z.string(),
    executor: z.enum(jobExecutors),
    state: z.enum(jobStates),
    exit_code: z.number().int().nullable(),
    message: z.string().nullable(),
    is_held: z.boolean(),
    is_canceling: z.boolean(),
    queue: z.string().nullable(),
    account: z.string().nullable(),
    executable: z.string(),
    arguments: z.array(z.string()),
    submitted_at: z.string(),
    started_at: z.string().nullable(),
    ended_at: z.string().nullable(),
    /** Of the last event. */
    seq: z.number().int().nonnegative(),
  })
  .meta({ id: 'JobSummary' });
export type JobSummary = z.infer<typeof jobSummarySchema>;

export const jobDetailSchema = jobSummarySchema.extend({
  spec: jobSpecSchema,
  tasks: z.array(jobTaskSchema),
});
export type JobDetail = z.infer<typeof jobDetailSchema>;

/** Newest first; `next` is the value of `after` for the following page, null on the last one. */
export const jobListSchema = z.object({ jobs: z.array(jobSummarySchema), next: z.string().nullable() });
export type JobList = z.infer<typeof jobListSchema>;

/** Of one job, `seq` counts 1, 2, 3 … without gaps; each comes once. */
export const jobEventSchema = z.object({
  job_id: z.string(),
  seq: z.number().int().positive(),
  time: z.string(),
  /** null: of the job as a whole. */
  index: z.number().int().nullable(),
  state: z.enum(jobStates),
  exit_code: z.number().int().nullable(),
  message: z.string().nullable(),
});
export type JobEvent = z.infer<typeof jobEventSchema>;
