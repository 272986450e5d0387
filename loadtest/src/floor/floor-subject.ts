import type { BenchSubject } from '../bare/bare-subject.js';
import { type Forked, startForked, startGenerator } from '../measure/forked.js';

/**
 * The hops of the platform without the platform: HTTP, the broker under the same rules of delivery, a process without
 * credentials, a thread. No token, no documents, no record, no deadline. What it costs no pipeline of these parts can
 * undercut.
 */
export async function startFloorSubject(options: {
  brokerUrl: string;
  brokerPid: number;
  sizeBytes: number;
}): Promise<BenchSubject> {
  const { brokerUrl, brokerPid, sizeBytes } = options;
  const edge = await startForked('floor/edge.js', [brokerUrl]);
  const body = 'x'.repeat(sizeBytes);
  const url = `http://127.0.0.1:${edge.port}/`;
  const generator = await startGenerator('pipeline/generator.js', [
    JSON.stringify({ url, token: 'none', body, expectedBody: body }),
  ]);
  const workers: Forked[] = [];
  return {
    generator,
    accounts: () => ({
      generator: [generator.pid],
      edge: [edge.pid],
      runtimes: workers.map(({ pid }) => pid),
      broker: [brokerPid],
    }),
    setWorkers: async (count) => {
      if (workers.length === count) return false;
      while (workers.length < count) workers.push(await startForked('floor/worker.js', [brokerUrl]));
      while (workers.length > count) await workers.pop()?.stop();
      return true;
    },
    stop: async () => {
      await Promise.all([generator, edge, ...workers].map((one) => one.stop()));
    },
  };
}
