import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { Broker } from '../ports.js';
import { describeConsuming } from './consuming.contract.js';
import { describeDeclaring } from './declaring.contract.js';
import type { BrokerHarness, Connections } from './harness.js';
import { describePlatformMessages } from './platform-messages.contract.js';
import { describePublishing } from './publishing.contract.js';

export type { BrokerHarness } from './harness.js';

/** The promises of the port `Broker`, as tests. Call it inside a `describe` of the adapter. */
export function describeBrokerContract(start: () => Promise<BrokerHarness>, startTimeoutMs: number): void {
  let harness: BrokerHarness;
  const open = new Set<Broker>();
  const connections: Connections = {
    async connect() {
      const broker = await harness.connect();
      open.add(broker);
      return broker;
    },
    kill: (broker) => harness.kill(broker),
  };

  beforeAll(async () => {
    harness = await start();
  }, startTimeoutMs);
  afterEach(async () => {
    await Promise.all([...open].map((broker) => broker.close()));
    open.clear();
  });
  afterAll(() => harness.close(), startTimeoutMs);

  describePublishing(connections);
  describeConsuming(connections);
  describeDeclaring(connections);
  describePlatformMessages(connections);
}
