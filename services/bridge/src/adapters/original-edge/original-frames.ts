/** The frames of RADICAL Edge between its bridge and an edge: JSON texts, and msgpack where a body is not text. */
import { isUtf8 } from 'node:buffer';
import { decode, encode } from '@msgpack/msgpack';
import { z } from 'zod';

/** What else an edge says of a plugin is not kept: it may say more with every frame. */
const pluginSchema = z.object({
  type: z.unknown().optional(),
  version: z.unknown().optional(),
  enabled: z.unknown().optional(),
  ui_config: z.unknown().optional(),
});

const registerFrameSchema = z.object({
  type: z.literal('register'),
  edge_name: z.string(),
  plugins: z.record(z.string().max(64), pluginSchema).default({}),
});
export type EdgePlugins = z.infer<typeof registerFrameSchema>['plugins'];
export type RegisterFrame = z.infer<typeof registerFrameSchema>;

/** How an edge says which plugins it has by now; by name with what is known of each, or only their names. */
const topologyFrameSchema = z.object({
  type: z.literal('topology'),
  edges: z.record(
    z.string(),
    z.looseObject({
      plugins: z.union([
        z.record(z.string().max(64), pluginSchema),
        z.array(z.string().max(64)).transform((names) => Object.fromEntries(names.map((name) => [name, {}]))),
      ]),
    }),
  ),
});
export type TopologyFrame = z.infer<typeof topologyFrameSchema>;

const frameSchema = z.discriminatedUnion('type', [
  registerFrameSchema,
  z.object({
    type: z.literal('response'),
    req_id: z.string().max(128),
    status: z.number().int().min(200).max(599),
    headers: z.record(z.string(), z.unknown()).nullish(),
    body: z.unknown().optional(),
    is_binary: z.boolean().nullish(),
  }),
  z.object({
    type: z.literal('notification'),
    plugin: z.string().max(64),
    topic: z.string().max(128),
    data: z.unknown().optional(),
  }),
  topologyFrameSchema,
  z.object({ type: z.literal('pong') }),
]);
export type EdgeFrame = z.infer<typeof frameSchema>;
export type ResponseFrame = Extract<EdgeFrame, { type: 'response' }>;

/** Undefined for what is not one of the frames, which the original ignores too. */
export function parseFrame(data: Buffer, isBinary: boolean): EdgeFrame | undefined {
  try {
    const value = isBinary ? decode(data) : JSON.parse(data.toString('utf8'));
    return frameSchema.safeParse(value).data;
  } catch {
    return undefined;
  }
}

export interface OriginalRequest {
  readonly reqId: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

export function encodeRequest({ body, headers, method, path, reqId }: OriginalRequest): string | Uint8Array {
  const frame = { type: 'request', req_id: reqId, method, path: toDecodedPath(path), headers };
  if (body === undefined || isUtf8(body))
    return JSON.stringify({ ...frame, is_binary: false, body: body?.toString('utf8') ?? null });
  return encode({ ...frame, is_binary: true, body: new Uint8Array(body) });
}

/** A body is a text, base64, or a JSON value that stands in the frame as it is. */
export function bodyOf({ body, is_binary }: ResponseFrame): { bytes: Buffer; isJson: boolean } {
  if (body instanceof Uint8Array) return { bytes: Buffer.from(body), isJson: false };
  if (typeof body === 'string')
    return { bytes: Buffer.from(body, is_binary === true ? 'base64' : 'utf8'), isJson: false };
  if (body === null || body === undefined) return { bytes: Buffer.alloc(0), isJson: false };
  return { bytes: Buffer.from(JSON.stringify(body)), isJson: true };
}

/**
 * Original edges match their routes on decoded paths. What would change the path, or its end, stays encoded.
 */
export function toDecodedPath(target: string): string {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const decoded = path.replace(/(%[0-9a-f]{2})+/gi, (run) => {
    if (/%(2f|3f|23|25|5c|0|1|7f)/i.test(run)) return run;
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
  return mark === -1 ? decoded : decoded + target.slice(mark);
}
