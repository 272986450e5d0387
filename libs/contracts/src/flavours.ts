import { z } from 'zod';
import { languages, leastMemoryMiB } from './documents.js';
import { flavourNameSchema } from './flavour-name.js';

/** The flavour of COGNIT's requirements that name none. */
export const defaultFlavour = 'Nature';

/** How strictly user code is separated from the machine, weakest first. */
export const isolationLevels = ['thread', 'process', 'sandbox', 'container'] as const;
export type IsolationLevel = (typeof isolationLevels)[number];

/** What may be asked for: a level, or the strongest one that the machine has without preparation. */
export const isolationChoices = ['auto', ...isolationLevels] as const;
export type IsolationChoice = (typeof isolationChoices)[number];

const mebibyte = 1024 * 1024;
const wholeNumber = (least: number, most: number) =>
  z.number().int('must be a whole number').min(least).max(most);

const moduleName = z
  .string()
  .regex(/^[A-Za-z_][\w.]{0,127}$/, 'must be the name that functions import, for example PIL');

/** A package that functions of a flavour can import. */
export const flavourPackageSchema = z.strictObject({
  name: z.string().min(1).max(128).meta({ description: 'As people know it', example: 'numpy' }),
  module: moduleName.meta({ description: 'As functions import it', example: 'numpy' }),
  language: z
    .enum(languages)
    .refine(
      (language) => language !== 'JS',
      'must be PY or C: functions in JavaScript import no packages, only the built-in modules they always have',
    ),
  debian: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.+-]{1,127}$/, 'must be the name of a Debian package')
    .optional()
    .meta({ description: 'The Debian package it comes from', example: 'python3-numpy' }),
});
export type FlavourPackage = z.infer<typeof flavourPackageSchema>;

/** What one execution may use at most. A requirement may ask for less, never for more. */
export const flavourLimitsSchema = z.strictObject({
  executionSeconds: wholeNumber(1, 86_400).default(900).meta({ description: 'Run time' }),
  memoryMiB: wholeNumber(leastMemoryMiB, 65_536)
    .default(256)
    .meta({ description: 'Memory of the function: its heap; resident memory is bounded beside it' }),
  scratchMiB: wholeNumber(1, 65_536).default(64).meta({ description: 'Files in its scratch folder' }),
  resultBytes: wholeNumber(64, 256 * mebibyte)
    .default(32 * mebibyte)
    .meta({ description: 'The result as JSON' }),
  logBytes: wholeNumber(0, 16 * mebibyte)
    .default(64 * 1024)
    .meta({ description: 'What is kept of its output' }),
});
export type FlavourLimits = z.infer<typeof flavourLimitsSchema>;

/** A flavour as its YAML file declares it, one file each. Every key but the name has a default. */
export const flavourDefinitionSchema = z.strictObject({
  name: flavourNameSchema,
  description: z.string().max(1000).default(''),
  languages: z
    .array(z.enum(languages))
    .min(1)
    .max(languages.length)
    .refine((list) => new Set(list).size === list.length, 'must not name a language twice')
    .default([...languages]),
  packages: z.array(flavourPackageSchema).max(512).default([]),
  limits: flavourLimitsSchema.prefault({}),
  isolation: z.enum(isolationChoices).default('auto'),
  network: z
    .strictObject({
      allow: z
        .array(z.string())
        .max(0, 'must be empty: functions have no network in this release')
        .default([]),
    })
    .prefault({}),
  slots: wholeNumber(1, 256).default(1).meta({ description: 'Executions at once in one runtime' }),
  priority: wholeNumber(0, 10)
    .default(10)
    .meta({ description: 'Share of the processor where flavours compete on a machine; 10: as the platform' }),
});
export type FlavourDefinition = z.output<typeof flavourDefinitionSchema>;

/** The definition of a flavour that is served and has no file. */
export const buildDefaultFlavour = (name: string): FlavourDefinition =>
  flavourDefinitionSchema.parse({ name });

/** One of the definitions by its name, or the built-in one. */
export const flavourOf = (definitions: readonly FlavourDefinition[], name: string): FlavourDefinition =>
  definitions.find((one) => one.name === name) ?? buildDefaultFlavour(name);

/** A flavour as `GET /v1/flavours` shows it: what was declared, and how it is at the moment. */
export const flavourViewSchema = z
  .object({
    name: flavourNameSchema,
    description: z.string(),
    languages: z.array(
      z.object({
        language: z.enum(languages),
        available: z.boolean().meta({ description: 'Whether a live runtime runs it' }),
        reason: z.string().nullable().meta({ description: 'Why it is not available, and what to install' }),
      }),
    ),
    packages: z.array(
      z.object({
        name: z.string(),
        module: z.string(),
        language: z.enum(languages),
        debian: z.string().nullable(),
      }),
    ),
    limits: z.object({
      execution_seconds: z.number().int(),
      memory_mib: z.number().int(),
      scratch_mib: z.number().int(),
      result_bytes: z.number().int(),
      log_bytes: z.number().int(),
    }),
    isolation: z.object({
      declared: z.enum(isolationChoices),
      live: z.array(z.enum(isolationLevels)).meta({ description: 'Levels of the live runtimes' }),
    }),
    network: z.object({ allow: z.array(z.string()) }),
    slots: z.number().int().meta({ description: 'Executions at once in one runtime, as declared' }),
    priority: z.number().int(),
    live: z.object({
      runtimes: z.number().int().meta({ description: 'Runtimes that announced themselves' }),
      slots: z.number().int().meta({ description: 'Executions at once, over all runtimes' }),
      running: z.number().int().meta({ description: 'As last announced; a few seconds old' }),
    }),
    queue: z.object({
      sync: z.number().int().meta({ description: 'Synchronous calls that wait' }),
      async: z.number().int().meta({ description: 'Asynchronous executions that wait' }),
      oldest_sync_seconds: z.number().meta({ description: 'Of the calls of this edge frontend' }),
      oldest_async_seconds: z.number(),
    }),
  })
  .meta({ id: 'Flavour' });
export type FlavourView = z.infer<typeof flavourViewSchema>;
