import { describeAgentPlugin } from '../../contract/agent-plugin.contract.js';
import { filesPlugin } from './index.js';

describeAgentPlugin({ plugin: filesPlugin });
