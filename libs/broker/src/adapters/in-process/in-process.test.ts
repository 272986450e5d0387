import { describe } from '@jest/globals';
import { describeBrokerContract } from '../../contract/broker.contract.js';
import { InProcessServer } from './in-process-server.js';

describe('the in-process broker', () => {
  describeBrokerContract(async () => {
    const server = new InProcessServer();
    return {
      connect: async () => server.connect(),
      kill: (broker) => broker.close(),
      close: async () => undefined,
    };
  }, 5000);
});
