import { z } from 'zod';
import { type CallLimits, type Language, languages } from './documents.js';
import { type ExecutionMode, executionModes } from './executions.js';
import { flavourNameSchema } from './flavour-name.js';
import { isolationLevels } from './flavours.js';

/** Version of every message; a receiver that does not know it dead-letters the message. */
export const messageVersion = 1;

/** Parameters larger than this travel as a claim check (sha256 in the header, bytes in the payload store). */
export const inlineParametersLimitBytes = 1024 * 1024;

/**
 * An execution on its way to a runtime. On the wire: AMQP `messageId` = `executionId`, everything else in
 * headers, and the message body is the caller's own bytes: a JSON array of base64 strings (empty with a claim check).
 */
export interface ExecutionRequest {
  /** `<frontend id>.<uuidv7>` for sync, `async.<uuidv7>` for async; also the routing key of its result. */
  readonly executionId: string;
  readonly mode: ExecutionMode;
  readonly flavour: string;
  /** Who calls. */
  readonly owner: string;
  /** Whose function it is, when it is not the caller's own. */
  readonly functionOwner?: string | undefined;
  readonly functionId: number;
  readonly requirementId: number;
  /** Sha256 (hex) of the decoded function code. */
  readonly functionSha256: string;
  readonly language: Language;
  /** Epoch milliseconds; not started after it. */
  readonly expiresAtMs: number;
  readonly queueMs: number;
  readonly runMs: number;
  /** Sha256 (hex) of the parameters when they are a claim check. */
  readonly parametersSha256?: string | undefined;
  /** W3C trace context of the caller. */
  readonly traceparent?: string | undefined;
  /** A fresh realm for this call. */
  readonly isFresh?: true | undefined;
  /** Limits below those of the flavour. */
  readonly limits?: CallLimits | undefined;
}

/** AMQP headers of an execution request; `executionId` is the message id. */
export const requestHeadersSchema = z.object({
  v: z.literal(messageVersion),
  mode: z.enum(executionModes),
  flavour: z.string(),
  owner: z.string(),
  functionId: z.number().int(),
  requirementId: z.number().int(),
  functionSha256: z.string().regex(/^[0-9a-f]{64}$/),
  language: z.enum(languages),
  expiresAtMs: z.number(),
  queueMs: z.number(),
  runMs: z.number(),
  parametersSha256: z.string().optional(),
  traceparent: z.string().optional(),
  /** Only when the function is not the caller's own. */
  functionOwner: z.string().optional(),
  /** The rest is there only when a requirement asks for it. */
  fresh: z.literal(true).optional(),
  memoryMiB: z.number().int().optional(),
  scratchMiB: z.number().int().optional(),
  resultBytes: z.number().int().optional(),
  logBytes: z.number().int().optional(),
});

/**
 * Headers of a message on `results.v1`. The body of `finished` is the exact JSON bytes of the caller's answer
 * (`resultSizeBytes` of them), followed by the captured log as UTF-8. `started` and `progress` have no body.
 */
export const resultHeadersSchema = z.object({
  v: z.literal(messageVersion),
  kind: z.enum(['started', 'progress', 'finished']),
  attempt: z.number().int(),
  runtimeId: z.string(),
  status: z.enum(['succeeded', 'failed', 'cancelled', 'expired']).optional(),
  /** Why it failed: one of `executionErrorCodes`. */
  code: z.string().optional(),
  startedAtMs: z.number().optional(),
  finishedAtMs: z.number().optional(),
  resultSizeBytes: z.number().int().optional(),
  /** 0 to 1000, with `progress`. */
  progressPerMille: z.number().int().optional(),
});
export type ResultHeaders = z.infer<typeof resultHeadersSchema>;

/** The longest reason in an announcement. */
export const maxReasonChars = 500;

/** One flavour of a runtime that announces itself. */
export const runtimeFlavourSchema = z.object({
  name: flavourNameSchema,
  isolation: z.enum(isolationLevels),
  /** Executions at once. */
  slots: z.number().int().min(0),
  running: z.number().int().min(0),
  languages: z.array(
    z.object({
      language: z.enum(languages),
      available: z.boolean(),
      /** Why it is not, and what to install. */
      reason: z.string().max(maxReasonChars).optional(),
    }),
  ),
});
export type RuntimeFlavour = z.infer<typeof runtimeFlavourSchema>;

/** Bodies (JSON) of messages on `control.v1`. */
export const controlMessageSchema = z.discriminatedUnion('kind', [
  z.object({ v: z.literal(messageVersion), kind: z.literal('cancel'), executionId: z.string() }),
  z.object({ v: z.literal(messageVersion), kind: z.literal('drain') }),
  z.object({
    v: z.literal(messageVersion),
    kind: z.literal('lease-request'),
    executionId: z.string(),
    runtimeId: z.string(),
    redelivered: z.boolean(),
  }),
  z.object({
    v: z.literal(messageVersion),
    kind: z.literal('lease-reply'),
    executionId: z.string(),
    outcome: z.enum(['granted', 'refused', 'unavailable']),
    attempt: z.number().int().optional(),
    /** Why it was refused: a terminal status, `running` or `unknown`. */
    reason: z.string().optional(),
  }),
  /** A runtime says what it serves: when it starts or something changed, when asked, and every few seconds. */
  z.object({
    v: z.literal(messageVersion),
    kind: z.literal('runtime-status'),
    runtimeId: z.string().max(128),
    /** None: it takes nothing any more. */
    flavours: z.array(runtimeFlavourSchema).max(256),
  }),
  /** A frontend that has just started wants to hear of every runtime. */
  z.object({ v: z.literal(messageVersion), kind: z.literal('status-request') }),
]);
export type ControlMessage = z.infer<typeof controlMessageSchema>;
