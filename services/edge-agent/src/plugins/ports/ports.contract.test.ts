import { describeAgentPlugin } from '../../contract/agent-plugin.contract.js';
import { portsPlugin } from './index.js';

describeAgentPlugin({ plugin: portsPlugin });
