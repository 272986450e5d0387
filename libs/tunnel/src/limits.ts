/** What one tunnel may take. Both ends use the same table; the smaller side of a limit wins on the wire. */
export interface TunnelLimits {
  /** Requests open at once on one connection; one more is refused with `node-busy`. */
  readonly maxConcurrentStreams: number;
  /**
   * Bytes in flight per stream and direction before its reader has taken them. A reader that never reads holds this
   * much and delays nobody: memory of one connection ≤ streamWindowBytes × maxConcurrentStreams.
   * Throughput of one stream over a long way is streamWindowBytes / round trip.
   */
  readonly streamWindowBytes: number;
  /** Bytes in flight on the connection. Credit comes back on receipt, not on reading. */
  readonly connectionWindowBytes: number;
  /** Names and values of one header list, counted as HPACK does: 32 more for each field (RFC 9113, 6.5.2). */
  readonly maxHeaderListBytes: number;
  readonly maxHeaderCount: number;
  /** Largest message that is taken from the WebSocket. A larger one ends the connection. */
  readonly maxMessageBytes: number;
  /** From the opened WebSocket to the first SETTINGS of the other side. */
  readonly handshakeTimeoutMs: number;
  /** Pause between two pings; at most 10,000. */
  readonly heartbeatIntervalMs: number;
  /** A connection that sends nothing for this long after a ping is given up. */
  readonly heartbeatTimeoutMs: number;
  /** A stream on which no byte moves in either direction for this long is cancelled; 0: never. */
  readonly streamIdleTimeoutMs: number;
}

const kib = 1024;

export const defaultTunnelLimits: TunnelLimits = {
  maxConcurrentStreams: 256,
  streamWindowBytes: 1024 * kib,
  connectionWindowBytes: 16 * 1024 * kib,
  maxHeaderListBytes: 64 * kib,
  maxHeaderCount: 256,
  maxMessageBytes: 256 * kib,
  handshakeTimeoutMs: 10_000,
  heartbeatIntervalMs: 5_000,
  heartbeatTimeoutMs: 10_000,
  streamIdleTimeoutMs: 15 * 60_000,
};

/**
 * The limits with their defaults.
 * @throws RangeError for a value that no connection could work with
 */
export function resolveLimits(given: Partial<TunnelLimits> = {}): TunnelLimits {
  const limits = { ...defaultTunnelLimits, ...given };
  for (const [name, value] of Object.entries(limits))
    if (!Number.isSafeInteger(value) || value < 0 || (value === 0 && name !== 'streamIdleTimeoutMs'))
      throw new RangeError(`tunnel limit ${name} must be a positive whole number, not ${String(value)}`);
  if (limits.heartbeatIntervalMs > 10_000)
    throw new RangeError('tunnel limit heartbeatIntervalMs must be at most 10000');
  if (limits.maxMessageBytes < 2 * largestMessageBytes)
    throw new RangeError(`tunnel limit maxMessageBytes must be at least ${2 * largestMessageBytes}`);
  return limits;
}

/** The largest message that this side makes of pending frames (a single larger chunk is cut). */
export const largestMessageBytes = 64 * kib;

/**
 * http2 counts what waits to be sent, in the pieces that were handed to it: whole answers often, which are in our memory
 * anyway. Above its limit it refuses streams, in the middle of them too; with the default of 10 MB that happens at 64
 * answers of 1 MB. What the other side can make us hold is bounded by the windows and the header limits instead.
 */
const sessionMemoryMb = 2048;

/** What node:http2 is given on either side. */
export const toSessionOptions = (limits: TunnelLimits) => ({
  settings: {
    initialWindowSize: limits.streamWindowBytes,
    maxConcurrentStreams: limits.maxConcurrentStreams,
    maxHeaderListSize: limits.maxHeaderListBytes,
    enablePush: false,
  },
  maxSessionMemory: sessionMemoryMb,
  // The pseudo fields come on top.
  maxHeaderListPairs: limits.maxHeaderCount + 8,
  maxSendHeaderBlockLength: limits.maxHeaderListBytes,
  peerMaxConcurrentStreams: limits.maxConcurrentStreams,
  maxOutstandingPings: 4,
  maxSettings: 16,
});
