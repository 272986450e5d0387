import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BridgeProcess } from '@gantry/test/support/bridge-process.js';
import { collectGarbage, proportionalBytes } from '@gantry/test/support/process-memory.js';
import { until } from '@gantry/test/support/processes.js';

/** What many idle nodes cost a whole bridge: records, leases, feeds and tunnels. */
export interface IdleNodes {
  readonly nodes: number;
  /** Growth of the proportional set size, after a collection of garbage before and after. */
  readonly bytesPerNode: number;
  /** From the first dial to the last connection, with their enrolment. */
  readonly joinedMs: number;
  /** Calls to every node once, 32 at a time. */
  readonly callsMs: number;
}

const atATime = 16;
/** Long enough for two heartbeats of each. */
const settleMs = 12_000;

/** Enrols `nodes` nodes and connects them from one process. @throws when one does not connect or answer, or nothing was measured */
export async function measureIdleNodes(
  bridge: BridgeProcess,
  nodes: number,
  settle = settleMs,
): Promise<IdleNodes> {
  const agents = fork(fileURLToPath(new URL('./agents.js', import.meta.url)), [
    `${bridge.url.replace('http', 'ws')}/tunnel`,
  ]);
  try {
    await once(agents, 'message');
    await collectGarbage(bridge.pid, bridge.output);
    const before = proportionalBytes(bridge.pid);
    const startedMs = performance.now();
    await inTurns(nodes, async (index) => {
      const { credential } = await bridge.join(`idle-${index}`);
      agents.send({ credential });
      await until('the node to be connected', () => bridge.isConnected(`idle-${index}`), 60_000);
    });
    const joinedMs = performance.now() - startedMs;
    await sleep(settle);
    await collectGarbage(bridge.pid, bridge.output);
    const bytesPerNode = (proportionalBytes(bridge.pid) - before) / nodes;
    if (bytesPerNode <= 0) throw new Error('the bridge did not grow: nothing was measured');
    const calledMs = performance.now();
    await inTurns(nodes, async (index) => {
      const answer = await bridge.call(`/v1/nodes/idle-${index}/work/x`);
      await answer.text();
      if (answer.status !== 200) throw new Error(`idle-${index} was answered with ${answer.status}`);
    });
    return { nodes, bytesPerNode, joinedMs, callsMs: performance.now() - calledMs };
  } finally {
    agents.kill('SIGKILL');
  }
}

async function inTurns(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async () => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: atATime }, run));
}
