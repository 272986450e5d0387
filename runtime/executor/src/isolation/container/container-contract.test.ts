import { afterAll } from '@jest/globals';
import { describeIsolation } from '../isolation.contract.js';
import { prepareContainers } from './container.js';

describeIsolation('container');

// The contract kills a supervisor; what that leaves is removed by the next start, as here.
afterAll(async () => {
  await prepareContainers();
});
