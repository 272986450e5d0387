/** A bridge and one agent in this process, connected over a loopback socket. */

import { startBridge, type TestBridge } from './bridge.fixture.js';
import { type Dialler, type DialOptions, dialTunnel } from './dial-tunnel.js';
import type { TunnelLimits } from './limits.js';
import type { Tunnel } from './tunnel.js';

export interface Pair {
  readonly bridge: TestBridge;
  readonly tunnel: Tunnel;
  readonly dialler: Dialler;
}

const opened: (() => Promise<void>)[] = [];

export interface PairOptions extends Partial<DialOptions> {
  readonly bridgeLimits?: Partial<TunnelLimits>;
}

/** Closed by {@link closePairs}. */
export async function openPair(options: PairOptions = {}): Promise<Pair> {
  const { bridgeLimits = options.limits ?? {}, ...dial } = options;
  const bridge = await startBridge({ limits: bridgeLimits });
  const handler = dial.handler ?? ((_request, response) => void response.end('ok'));
  const dialler = dialTunnel({ url: bridge.url, ...dial, handler });
  opened.push(async () => {
    await dialler.close({ graceMs: 0 });
    await bridge.stop();
  });
  return { bridge, dialler, tunnel: await bridge.tunnel() };
}

/** Also for what a test opened beside a pair. */
export const closeLater = (stop: () => Promise<void>) => void opened.push(stop);

export async function closePairs(): Promise<void> {
  for (let stop = opened.pop(); stop !== undefined; stop = opened.pop()) await stop();
}

/** Waits until something is true. */
export async function until(isTrue: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error(`waited too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
