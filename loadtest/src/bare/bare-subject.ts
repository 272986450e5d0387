import type { Accounts } from '../cell.js';
import { type Forked, type Generator, startForked, startGenerator } from '../measure/forked.js';
import type { Delivery } from './wire.js';

/** Bare request and reply over RabbitMQ, with a number of workers that can be changed. */
export interface BenchSubject {
  readonly generator: Generator;
  accounts(): Accounts;
  /** Whether that changed anything. */
  setWorkers(count: number): Promise<boolean>;
  stop(): Promise<void>;
}

export async function startBareSubject(options: {
  brokerUrl: string;
  brokerPid: number;
  sizeBytes: number;
  delivery: Delivery;
}): Promise<BenchSubject> {
  const workers: Forked[] = [];
  const { brokerUrl, delivery } = options;
  const generator = await startGenerator('bare/generator.js', [
    brokerUrl,
    String(options.sizeBytes),
    delivery,
  ]);
  return {
    generator,
    accounts: () => ({
      generator: [generator.pid],
      broker: [options.brokerPid],
      workers: workers.map(({ pid }) => pid),
    }),
    setWorkers: async (count) => {
      if (workers.length === count) return false;
      while (workers.length < count) workers.push(await startForked('bare/worker.js', [brokerUrl, delivery]));
      while (workers.length > count) await workers.pop()?.stop();
      return true;
    },
    stop: async () => {
      await Promise.all([generator, ...workers].map((one) => one.stop()));
    },
  };
}
