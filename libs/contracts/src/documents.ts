import { z } from 'zod';
import { flavourNameSchema } from './flavour-name.js';

/** Languages on the wire of `POST /v1/daas/upload`. `WASM` is reserved: refused with 422 until a runtime has it. */
export const languages = ['PY', 'C', 'JS'] as const;
export type Language = (typeof languages)[number];

/** `res` of a failed execution: an empty result that each language's own client can decode. */
export const emptyResultOf: Readonly<Record<Language, string>> = {
  /** Pickle of `None`. */
  PY: 'gAVOLg==',
  /** A `FaasResponse` protobuf with no item. */
  C: '',
  /** JSON `null`. */
  JS: 'bnVsbA==',
};

const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;
/** Whether `text` is standard, padded base64 (RFC 4648 section 4). */
export const isBase64 = (text: string): boolean => text.length % 4 === 0 && base64Pattern.test(text);

/**
 * Documents are numbered from 1: clients parse ids with `atoi` and take 0 for a failure. In a URL an id is written
 * in decimal: JavaScript's other spellings of numbers (`0x10`, `1e3`, blanks) would reach another document by `atoi`.
 */
export const documentIdSchema = z
  .preprocess(
    (id) => (typeof id === 'string' && !/^-?\d+(\.\d+)?$/.test(id) ? undefined : id),
    z.coerce
      .number('must be a whole number')
      .int('must be a whole number')
      .min(1, 'must be 1 or more')
      .max(Number.MAX_SAFE_INTEGER),
  )
  .meta({ description: 'Document id', example: 1 });

/** A number, or a string that spells one: the original accepts both. */
const looseNumber = (schema: z.ZodNumber) =>
  z.union([
    schema,
    z
      .string()
      .regex(/^\s*-?\d+(\.\d+)?\s*$/)
      .transform(Number)
      .pipe(schema),
  ]);

const placeSchema = z.object({
  latitude: looseNumber(z.number().min(-90).max(90)),
  longitude: looseNumber(z.number().min(-180).max(180)),
});
/** A point on Earth in degrees. */
export type Place = { readonly latitude: number; readonly longitude: number };

/** The three shapes clients send: an object, "lat,lon", or free text (which has no place). */
export const geolocationSchema = z.union([placeSchema, z.string().max(512)]);
export type Geolocation = z.infer<typeof geolocationSchema>;

/** The place a geolocation names, or undefined for free text. */
export function placeOf(geolocation: Geolocation | null | undefined): Place | undefined {
  if (geolocation === null || geolocation === undefined) return undefined;
  if (typeof geolocation !== 'string') return geolocation;
  const parts = geolocation.split(',').map((part) => part.trim());
  if (parts.length !== 2 || parts.some((part) => part === '')) return undefined;
  const parsed = placeSchema.safeParse({ latitude: parts[0], longitude: parts[1] });
  return parsed.success ? parsed.data : undefined;
}

/** A thread of V8, or a Python interpreter, needs about this much before it runs anything. */
export const leastMemoryMiB = 16;

/** A limit of one execution. Above the flavour's own it changes nothing; below `least` nothing could run. */
const limitSchema = (least: number) =>
  looseNumber(z.number().int().min(least).max(Number.MAX_SAFE_INTEGER)).nullish();

/**
 * A requirement as it may be stored already: releases that took any text as `FLAVOUR` stored some that no runtime can
 * serve.
 */
export const storedRequirementSchema = z.object({
  FLAVOUR: z.string().max(128).nullish().meta({ example: 'Nature' }),
  MAX_LATENCY: looseNumber(z.number().int().min(0)).nullish(),
  MAX_FUNCTION_EXECUTION_TIME: looseNumber(z.number().positive()).nullish().meta({ description: 'Seconds' }),
  MIN_ENERGY_RENEWABLE_USAGE: looseNumber(z.number().int().min(0).max(100)).nullish(),
  MIN_RENEWABLE_USAGE: looseNumber(z.number().int().min(0).max(100)).nullish(),
  GEOLOCATION: geolocationSchema.nullish(),
  ID: z.string().max(256).nullish(),
  IS_CONFIDENTIAL: z.boolean().nullish(),
  PROVIDERS: z.array(z.string().max(256)).max(64).nullish(),
  FRESH: z
    .boolean()
    .nullish()
    .meta({ description: 'A fresh realm for every call: nothing of an earlier one is left in it' }),
  fresh: z
    .boolean()
    .nullish()
    .meta({ description: 'Another spelling of `FRESH`, which counts if both are there' }),
  MAX_MEMORY_MIB: limitSchema(leastMemoryMiB).meta({ description: "Less memory than the flavour's limit" }),
  MAX_SCRATCH_MIB: limitSchema(1).meta({ description: "Less scratch than the flavour's limit" }),
  MAX_RESULT_BYTES: limitSchema(64).meta({ description: "A smaller result than the flavour's limit" }),
  MAX_LOG_BYTES: limitSchema(1).meta({ description: "A shorter log than the flavour's limit" }),
});

/** A requirement as COGNIT's clients write it. Unknown keys are dropped, `null` means "not given". */
export const requirementSchema = storedRequirementSchema
  .extend({ FLAVOUR: flavourNameSchema.nullish().meta({ example: 'Nature' }) })
  .meta({ id: 'AppRequirement' });
export type RequirementOnWire = z.infer<typeof requirementSchema>;

/** A requirement inside Gantry. */
export interface Requirement {
  readonly flavour: string;
  readonly maxLatencyMs: number;
  /** Undefined when the client did not send it: the platform's own default applies then. */
  readonly maxRunMs: number | undefined;
  readonly minRenewablePercent: number;
  readonly geolocation: Geolocation | undefined;
  readonly deviceId: string | undefined;
  readonly isConfidential: boolean;
  readonly providers: readonly string[];
  /** Present when a fresh realm is wanted for every call. */
  readonly isFresh?: true | undefined;
  /** Present when it lowers a limit of its flavour. */
  readonly limits?: CallLimits | undefined;
}

/** What one call may use at most, where that is less than its flavour allows. */
export interface CallLimits {
  readonly memoryMiB?: number;
  readonly scratchMiB?: number;
  readonly resultBytes?: number;
  readonly logBytes?: number;
}

/** Wire to domain; both spellings of the renewable key are understood. */
export function toRequirement(wire: RequirementOnWire): Requirement {
  const maxRunSeconds = wire.MAX_FUNCTION_EXECUTION_TIME;
  return {
    flavour: wire.FLAVOUR ?? 'Nature',
    maxLatencyMs: wire.MAX_LATENCY ?? 10,
    maxRunMs: maxRunSeconds == null ? undefined : Math.max(1, Math.round(maxRunSeconds * 1000)),
    minRenewablePercent: wire.MIN_ENERGY_RENEWABLE_USAGE ?? wire.MIN_RENEWABLE_USAGE ?? 80,
    geolocation: wire.GEOLOCATION ?? undefined,
    deviceId: wire.ID ?? undefined,
    isConfidential: wire.IS_CONFIDENTIAL ?? false,
    providers: wire.PROVIDERS ?? [],
    ...((wire.FRESH ?? wire.fresh) === true ? { isFresh: true } : {}),
    ...toLimits(wire),
  };
}

function toLimits(wire: RequirementOnWire): { limits?: CallLimits } {
  const limits = {
    ...(wire.MAX_MEMORY_MIB == null ? {} : { memoryMiB: wire.MAX_MEMORY_MIB }),
    ...(wire.MAX_SCRATCH_MIB == null ? {} : { scratchMiB: wire.MAX_SCRATCH_MIB }),
    ...(wire.MAX_RESULT_BYTES == null ? {} : { resultBytes: wire.MAX_RESULT_BYTES }),
    ...(wire.MAX_LOG_BYTES == null ? {} : { logBytes: wire.MAX_LOG_BYTES }),
  };
  return Object.keys(limits).length === 0 ? {} : { limits };
}

/** Domain to wire, with COGNIT's defaults filled in. */
export function fromRequirement(requirement: Requirement): RequirementOnWire {
  return {
    FLAVOUR: requirement.flavour,
    MAX_LATENCY: requirement.maxLatencyMs,
    MAX_FUNCTION_EXECUTION_TIME: (requirement.maxRunMs ?? 1000) / 1000,
    MIN_ENERGY_RENEWABLE_USAGE: requirement.minRenewablePercent,
    GEOLOCATION: requirement.geolocation ?? null,
    ID: requirement.deviceId ?? null,
    IS_CONFIDENTIAL: requirement.isConfidential,
    PROVIDERS: [...requirement.providers],
    ...(requirement.isFresh === true ? { FRESH: true } : {}),
    ...fromLimits(requirement.limits ?? {}),
  };
}

const fromLimits = ({ memoryMiB, scratchMiB, resultBytes, logBytes }: CallLimits): RequirementOnWire => ({
  ...(memoryMiB === undefined ? {} : { MAX_MEMORY_MIB: memoryMiB }),
  ...(scratchMiB === undefined ? {} : { MAX_SCRATCH_MIB: scratchMiB }),
  ...(resultBytes === undefined ? {} : { MAX_RESULT_BYTES: resultBytes }),
  ...(logBytes === undefined ? {} : { MAX_LOG_BYTES: logBytes }),
});

/** Body of `POST /v1/daas/upload`. */
export const functionUploadSchema = z
  .object({
    LANG: z.string().meta({ example: 'JS' }),
    FC: z
      .string()
      .min(1, 'must not be empty')
      .refine(isBase64, 'must be base64')
      .meta({ description: 'The function, base64' }),
    FC_HASH: z.string().max(256).meta({ description: "The client's own hash; informative only" }),
    NAME: z.string().max(128).nullish().meta({ description: 'A name people recognise' }),
  })
  .meta({ id: 'FunctionUpload' });
export type FunctionUpload = z.infer<typeof functionUploadSchema>;

/** A function without its code. */
export const functionViewSchema = z
  .object({
    id: z.number().int(),
    owner: z.string(),
    name: z.string().nullable(),
    LANG: z.enum(languages),
    FC_HASH: z.string(),
    sha256: z.string().meta({ description: "The server's own sha256 of the decoded FC, hex" }),
    size_bytes: z.number().int(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Function' });
export type FunctionView = z.infer<typeof functionViewSchema>;
