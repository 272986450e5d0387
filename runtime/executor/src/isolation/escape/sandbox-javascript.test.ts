import { describeHarmfulJavaScript } from './through-the-pool.contract.js';

describeHarmfulJavaScript('sandbox');
