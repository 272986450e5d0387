import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BridgeProcess } from '@gantry/test/support/bridge-process.js';
import { peakGrowth } from '@gantry/test/support/process-memory.js';

/** A file that goes to a node and comes back, through the files plugin of a real agent. */
export interface LargeFile {
  readonly sizeBytes: number;
  readonly upMs: number;
  readonly downMs: number;
  /** The highest growth of each process in either direction. */
  readonly bridgeGrowthBytes: number;
  readonly agentGrowthBytes: number;
}

const piece = Buffer.alloc(1024 * 1024, 'gantry');

/** @throws when the file does not arrive whole */
export async function measureLargeFile(bridge: BridgeProcess, sizeMiB: number): Promise<LargeFile> {
  const agent = await bridge.startAgent('files');
  const send = async (method: string, path: string, body?: Readable): Promise<IncomingMessage> => {
    const headers = { token: await bridge.tokenOf('root') };
    const call = request(`${bridge.url}/v1/nodes/files/files/${path}`, { method, headers });
    const answered = once(call, 'response');
    if (body === undefined) call.end();
    else await pipeline(body, call);
    return ((await answered) as [IncomingMessage])[0];
  };
  // What is loaded at the first call is not counted.
  (await send('GET', 'list?path=.')).resume();
  const pids = [bridge.pid, agent.pid];
  const startedMs = performance.now();
  const up = await peakGrowth(pids, async () => {
    const answer = await send('PUT', 'content?path=large.bin', Readable.from(Array(sizeMiB).fill(piece)));
    answer.resume();
    if (answer.statusCode !== 201) throw new Error(`the upload was answered with ${answer.statusCode}`);
  });
  const upMs = performance.now() - startedMs;
  const down = await peakGrowth(pids, async () => {
    let bytes = 0;
    for await (const chunk of (await send('GET', 'content?path=large.bin')) as AsyncIterable<Buffer>)
      bytes += chunk.length;
    if (bytes !== sizeMiB * piece.length) throw new Error(`${bytes} bytes came back`);
  });
  const highest = (index: number) => Math.max(up[index] ?? 0, down[index] ?? 0);
  return {
    sizeBytes: sizeMiB * piece.length,
    upMs,
    downMs: performance.now() - startedMs - upMs,
    bridgeGrowthBytes: highest(0),
    agentGrowthBytes: highest(1),
  };
}
