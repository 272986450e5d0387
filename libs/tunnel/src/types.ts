import type { Readable } from 'node:stream';

/** Header fields by lower-case name; several fields of one name are an array, in their order. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Header fields as they are answered: what came once is a string, what came several times an array. */
export type AnswerHeaders = Record<string, string | string[]>;

export interface TunnelRequest {
  readonly method: string;
  /** Origin form, sent as it is: `/jobs/a%2Fb?x=1`. */
  readonly path: string;
  /** Sent as `:authority`. Default: `node`. */
  readonly authority?: string;
  /** Connection-specific fields are removed; pseudo fields are refused. */
  readonly headers?: HeaderFields;
  /** A stream is read as fast as the node takes it. When it fails, or closes early, the node sees an abort. */
  readonly body?: Readable | Uint8Array | string;
  /** Asked for when the body has ended. */
  readonly trailers?: () => HeaderFields | undefined;
  /** Aborting it cancels the stream, also while the body of the answer is read. */
  readonly signal?: AbortSignal;
  /** From the call to the head of the answer. Default: 60,000; the body has no deadline but the idle one. */
  readonly timeoutMs?: number;
  /** Without a byte in either direction for this long the stream is cancelled; 0: never. Default: the limit. */
  readonly idleTimeoutMs?: number;
  /** Expected to move many bytes: a group keeps it off the connection of the small requests. */
  readonly bulk?: boolean;
}

export interface TunnelAnswer {
  readonly status: number;
  /** Without connection-specific fields; `content-length` only if it is a number. */
  readonly headers: AnswerHeaders;
  /** Must be read or destroyed; destroying it cancels the stream. Fails with an AppError when the answer breaks off. */
  readonly body: Readable;
  /** Settles when the body has ended; empty when there were none or the answer broke off. Never rejects. */
  readonly trailers: Promise<AnswerHeaders>;
}

export interface TunnelConnect {
  readonly path: string;
  readonly authority?: string;
  readonly headers?: HeaderFields;
  /** Sent as `:protocol`. Default: `websocket`. */
  readonly protocol?: string;
  readonly signal?: AbortSignal;
  /** From the call to the head of the answer. Default: 30,000. */
  readonly timeoutMs?: number;
  readonly idleTimeoutMs?: number;
}

/** Why a tunnel ended: by our wish, by the other side's, or by accident. */
export interface TunnelEnd {
  readonly kind: 'closed' | 'drained' | 'lost';
  readonly reason: string;
}
