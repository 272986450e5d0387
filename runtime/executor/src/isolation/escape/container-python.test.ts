import { describeHarmfulPython } from './through-the-pool.contract.js';

describeHarmfulPython('container');
