import { describeIsolation } from './isolation.contract.js';

describeIsolation('thread');
describeIsolation('process');
describeIsolation('sandbox');
