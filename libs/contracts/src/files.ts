import { z } from 'zod';

/** The plugin `files` of an edge node. Paths are absolute, or relative to the first root. */

export const filePathSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => !path.includes('\0'), 'must not contain NUL');

export const fileKinds = ['file', 'dir', 'symlink', 'other'] as const;

export const fileEntrySchema = z
  .object({
    name: z.string(),
    path: z.string(),
    type: z.enum(fileKinds),
    size: z.number().int().nonnegative().nullable(),
    /** Octal permission bits, such as `0644`. */
    mode: z.string(),
    modified_at: z.string(),
    /** Of regular files only: what If-Match compares. */
    etag: z.string().nullable(),
    /** Of symbolic links only: their text, which is not followed here. */
    target: z.string().nullable(),
  })
  .meta({ id: 'FileEntry' });
export type FileEntry = z.infer<typeof fileEntrySchema>;

export const fileRootSchema = z.object({ name: z.string(), path: z.string(), writable: z.boolean() });
export type FileRoot = z.infer<typeof fileRootSchema>;
export const fileRootListSchema = z.object({ roots: z.array(fileRootSchema) });

/** Entries ordered by name; `next` is the value of `after` for the following page, null on the last one. */
export const fileListSchema = z
  .object({ path: z.string(), entries: z.array(fileEntrySchema), next: z.string().nullable() })
  .meta({ id: 'FileList' });
export type FileList = z.infer<typeof fileListSchema>;

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits');

export const fileChecksumSchema = z.object({
  path: z.string(),
  size: z.number().int(),
  algorithm: z.literal('sha256'),
  checksum: sha256Schema,
  etag: z.string(),
});
export type FileChecksum = z.infer<typeof fileChecksumSchema>;

export const makeFolderSchema = z.strictObject({ path: filePathSchema, parents: z.boolean().default(false) });

export const moveFileSchema = z.strictObject({
  from: filePathSchema,
  to: filePathSchema,
  overwrite: z.boolean().default(false),
});

/** `0644`: permission bits only; set-user-id and the like cannot be asked for. */
export const fileModeSchema = z.string().regex(/^0?[0-7]{3}$/, 'must be octal permission bits, such as 0644');

export const beginUploadSchema = z.strictObject({
  path: filePathSchema,
  overwrite: z.boolean().default(false),
  /** Make the folders above it. */
  parents: z.boolean().default(false),
  /** When known: checked against the free space at once and against the bytes at the end. */
  size: z.number().int().nonnegative().optional(),
  mode: fileModeSchema.optional(),
});
export type BeginUpload = z.infer<typeof beginUploadSchema>;

export const uploadStateSchema = z
  .object({
    id: z.string(),
    path: z.string(),
    /** Bytes that are on the disk of the node; the next ones go there. */
    offset: z.number().int().nonnegative(),
    size: z.number().int().nonnegative().nullable(),
    expires_at: z.string(),
  })
  .meta({ id: 'UploadState' });
export type UploadState = z.infer<typeof uploadStateSchema>;
/** The unfinished uploads of the caller, the newest first. */
export const uploadListSchema = z.object({ uploads: z.array(uploadStateSchema) });

export const finishUploadSchema = z.strictObject({ sha256: sha256Schema.optional() });

export const unpackedSchema = z.object({
  path: z.string(),
  files: z.number().int(),
  folders: z.number().int(),
  symlinks: z.number().int(),
  bytes: z.number().int(),
});
export type Unpacked = z.infer<typeof unpackedSchema>;

/** Bodies of the older `staging` routes. */
export const stagingPutSchema = z.object({
  filename: z.string(),
  content: z.string(),
  overwrite: z.boolean().optional(),
});
export const stagingGetSchema = z.object({ filename: z.string() });
export const stagingListSchema = z.object({ path: z.string() });
