import { describeAgentPlugin } from '../../contract/agent-plugin.contract.js';
import { jobsPlugin } from './index.js';

describeAgentPlugin({ plugin: jobsPlugin });
