import { z } from 'zod';
import type { ProblemCode } from '../problems.js';

/** Who may call a route. `administrator` is a token with that role; the last two are services, not people. */
export type RouteAuth = 'none' | 'basic' | 'token' | 'administrator' | 'enrolment' | 'runtime';

export interface ResponseContract {
  readonly description: string;
  /** Absent: no body. */
  readonly schema?: z.ZodType;
  /** `application/json` unless given. */
  readonly contentType?: string;
  /** Headers beyond the ones every answer has, and what they say. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * One route, said once: the server parses by it, the OpenAPI document is generated from it, and the client
 * takes its types from it.
 */
export interface RouteContract {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** OpenAPI form: `/v1/functions/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly auth: RouteAuth;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Whether the body may be absent. */
  readonly bodyOptional?: boolean;
  /** 64 KiB unless given. */
  readonly bodyLimitBytes?: number;
  readonly responses: Readonly<Record<number, ResponseContract>>;
  /** Problems beyond the ones every route of its kind can answer. */
  readonly problems?: readonly ProblemCode[];
}

/** A page of anything, newest first. `next_cursor` is opaque, null on the last page. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

export const pageQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(256).optional(),
});

/** RFC 9457, with our extensions. `detail` is always a string: the original clients read it too. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string().optional(),
    code: z.string(),
    request_id: z.string(),
    retry_after_ms: z.number().int().optional(),
    errors: z
      .array(z.object({ pointer: z.string(), detail: z.string() }))
      .optional()
      .meta({ description: 'JSON pointers into "path", "query", "header" or "body"' }),
  })
  .meta({ id: 'Problem' });
export type ProblemBody = z.infer<typeof problemSchema>;
