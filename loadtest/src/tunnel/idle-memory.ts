import { setTimeout as sleep } from 'node:timers/promises';
import { startForked } from '../measure/forked.js';

/** What many idle nodes cost the bridge. */
export interface IdleMemory {
  readonly nodes: number;
  readonly bytesPerNode: number;
  /** After the garbage of the handshakes was collected. */
  readonly bytesPerNodeCollected: number;
}

interface Rss {
  readonly rss: number;
  readonly rssCollected: number;
  readonly tunnels: number;
}

/** Long enough for two heartbeats each. */
const settleMs = 12_000;

/** Connects `nodes` idle nodes to a bridge of its own. @throws when not all stay connected */
export async function measureIdleMemory(nodes: number): Promise<IdleMemory> {
  const bridge = await startForked('tunnel/bridge.js', []);
  try {
    const base = `127.0.0.1:${bridge.port}`;
    const before = await readRss(base);
    const agents = await startForked('tunnel/idle-agents.js', [`ws://${base}/tunnel`, String(nodes)]);
    try {
      await sleep(settleMs);
      const after = await readRss(base);
      if (after.tunnels !== nodes) throw new Error(`${after.tunnels} of ${nodes} nodes are connected`);
      return {
        nodes,
        bytesPerNode: (after.rss - before.rssCollected) / nodes,
        bytesPerNodeCollected: (after.rssCollected - before.rssCollected) / nodes,
      };
    } finally {
      await agents.stop();
    }
  } finally {
    await bridge.stop();
  }
}

async function readRss(base: string): Promise<Rss> {
  const answer = await fetch(`http://${base}/rss`);
  return (await answer.json()) as Rss;
}
