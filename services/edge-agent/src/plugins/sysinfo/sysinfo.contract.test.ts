import { describeAgentPlugin } from '../../contract/agent-plugin.contract.js';
import { sysinfoPlugin } from './index.js';

describeAgentPlugin({ plugin: sysinfoPlugin });
