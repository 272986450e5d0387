import { setTimeout as sleep } from 'node:timers/promises';
import { GantryClient } from '@gantry/client';
import { startDistributed } from '@gantry/test/support/distributed.js';
import type { BenchSubject } from '../bare/bare-subject.js';
import { startGenerator } from '../measure/forked.js';
import { prepareTarget } from './target.js';

const changeTimeoutMs = 60_000;

/** The whole platform, each service a process of its own, with a number of runtimes that can be changed. */
export async function startPipelineSubject(options: {
  brokerUrl: string;
  brokerPid: number;
  storeUrl: string;
  storePid: number;
  sizeBytes: number;
}): Promise<BenchSubject> {
  const platform = await startDistributed(options.brokerUrl, options.storeUrl);
  try {
    const target = await prepareTarget(platform, options.sizeBytes);
    const generator = await startGenerator('pipeline/generator.js', [JSON.stringify(target)]);
    const client = new GantryClient({ cloudUrl: platform.cloudUrl, credentials: { token: target.token } });
    // The platform comes with one, which has to settle like any other.
    let workers = 0;
    return {
      generator,
      accounts: () => ({
        generator: [generator.pid],
        edge: [platform.edge.pid],
        runtimes: platform.runtimes.map(({ pid }) => pid),
        broker: [options.brokerPid],
        cloud: [platform.cloud.pid],
        store: [options.storePid],
      }),
      setWorkers: async (count) => {
        if (workers === count) return false;
        while (platform.runtimes.length < count) platform.startRuntime();
        while (platform.runtimes.length > count) await platform.runtimes.pop()?.stop('SIGTERM');
        await untilCapacity(client, count);
        workers = count;
        return true;
      },
      stop: async () => {
        await generator.stop();
        await platform.stop();
      },
    };
  } catch (error) {
    await platform.stop();
    throw error;
  }
}

/** The edge frontend reports how many runtimes it sees. */
async function untilCapacity(client: GantryClient, count: number): Promise<void> {
  const endMs = performance.now() + changeTimeoutMs;
  for (;;) {
    const clusters = await client.listClusters();
    if (clusters.some(({ capacity }) => capacity === count)) return;
    if (performance.now() > endMs)
      throw new Error(
        `The cluster did not come to ${count} runtimes within ${changeTimeoutMs} ms: ${JSON.stringify(clusters)}`,
      );
    await sleep(250);
  }
}
