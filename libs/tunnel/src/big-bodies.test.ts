/** 1 GB both ways while neither process grows: bodies stream. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startBridge } from './bridge.fixture.js';
import { startChild } from './child.fixture.js';
import { closeLater, closePairs } from './pair.fixture.js';
import type { Tunnel } from './tunnel.js';

afterEach(closePairs);

const gigabyte = 1024 ** 3;
const mib = 1024 * 1024;
const allowedGrowthBytes = 100 * mib;

interface Rss {
  readonly rss: number;
  readonly peak: number;
}

const rssOfAgent = async (tunnel: Tunnel): Promise<Rss> =>
  (await json((await tunnel.request({ method: 'GET', path: '/rss' })).body)) as Rss;

/** The growth of both ends while `work` runs, in bytes. */
async function growthDuring(
  tunnel: Tunnel,
  work: () => Promise<void>,
): Promise<{ bridge: number; agent: number }> {
  const agentBefore = await rssOfAgent(tunnel);
  const bridgeBefore = process.memoryUsage.rss();
  let bridgePeak = bridgeBefore;
  const sampler = setInterval(() => {
    bridgePeak = Math.max(bridgePeak, process.memoryUsage.rss());
  }, 20);
  await work();
  clearInterval(sampler);
  const agentAfter = await rssOfAgent(tunnel);
  return { bridge: bridgePeak - bridgeBefore, agent: agentAfter.peak - agentBefore.rss };
}

describe('a body of 1 GB', () => {
  it('comes from the node, and neither end grows by 100 MB', async () => {
    const bridge = await startBridge();
    closeLater(() => bridge.stop());
    await startChild('./agent-process.fixture.js', [bridge.url]);
    const tunnel = await bridge.tunnel();
    let received = 0;
    const growth = await growthDuring(tunnel, async () => {
      const answer = await tunnel.request({ method: 'GET', path: `/send?bytes=${gigabyte}` });
      for await (const chunk of answer.body as AsyncIterable<Buffer>) received += chunk.length;
    });
    expect(received).toBe(gigabyte);
    expect(growth.agent).toBeLessThan(allowedGrowthBytes);
    expect(growth.bridge).toBeLessThan(allowedGrowthBytes);
  }, 300_000);

  it('goes to the node unchanged, and neither end grows by 100 MB', async () => {
    const bridge = await startBridge();
    closeLater(() => bridge.stop());
    await startChild('./agent-process.fixture.js', [bridge.url]);
    const tunnel = await bridge.tunnel();
    const hash = createHash('sha256');
    let seen: unknown;
    const growth = await growthDuring(tunnel, async () => {
      const body = Readable.from(
        pieces(gigabyte, (piece) => void hash.update(piece)),
        { objectMode: false },
      );
      seen = await json(
        (await tunnel.request({ method: 'POST', path: '/receive', body, timeoutMs: 110_000 })).body,
      );
    });
    expect(seen).toEqual({ bytes: gigabyte, sha256: hash.digest('hex') });
    expect(growth.agent).toBeLessThan(allowedGrowthBytes);
    expect(growth.bridge).toBeLessThan(allowedGrowthBytes);
  }, 300_000);
});

function* pieces(bytes: number, onPiece: (piece: Buffer) => void): Generator<Buffer> {
  for (let sent = 0; sent < bytes; sent += 64 * 1024) {
    const piece = Buffer.alloc(64 * 1024, sent / 65536);
    onPiece(piece);
    yield piece;
  }
}
