import { z } from 'zod';

const rootSettingsSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/),
  /** Absolute, or `~` with or without more. `{user}` stands for the caller: a folder of its own for everybody. */
  path: z
    .string()
    .max(4096)
    .regex(/^(\/|~(\/|$))/, 'must be absolute, or begin with "~"')
    .refine(
      (path) => !path.includes('\0') && !path.split('/').includes('..'),
      'must not contain ".." or NUL',
    ),
  writable: z.boolean().default(false),
  /** Whether the folder is made when it is not there. */
  create: z.boolean().default(false),
});
export type RootSettings = z.infer<typeof rootSettingsSchema>;

const gibibyte = 1024 ** 3;

export const filesConfigSchema = z
  .strictObject({
    /** What is shared beside the plugin's own folder. */
    roots: z.array(rootSettingsSchema).max(64).default([]),
    /** The folder of the plugin itself: root `own`, writable, and where relative paths lead. */
    ownFolder: z.boolean().default(true),
    maxFileBytes: z
      .number()
      .int()
      .positive()
      .default(1024 * gibibyte),
    /** Limits of an archive that is unpacked, counted as it comes out. */
    maxArchiveBytes: z
      .number()
      .int()
      .positive()
      .default(64 * gibibyte),
    maxArchiveEntries: z.number().int().positive().max(10_000_000).default(200_000),
    /** An upload that nobody went on with is deleted after this. */
    uploadTtlHours: z.number().int().min(1).max(720).default(24),
    maxUploadsPerUser: z.number().int().min(1).max(10_000).default(256),
    /** Largest file of the older routes, which hold it in memory as base64. */
    maxStagingBytes: z
      .number()
      .int()
      .positive()
      .max(256 * 1024 * 1024)
      .default(32 * 1024 * 1024),
  })
  .refine(({ roots }) => new Set(roots.map(({ name }) => name)).size === roots.length, {
    path: ['roots'],
    message: 'must not name two roots alike',
  })
  .refine(({ roots }) => roots.every(({ name }) => name !== 'own'), {
    path: ['roots'],
    message: 'must not name a root "own": the folder of the plugin is called that',
  });
export type FilesConfig = z.infer<typeof filesConfigSchema>;
