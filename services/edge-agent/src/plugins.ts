import type { AgentPlugin } from './core/ports.js';
import { filesPlugin } from './plugins/files/index.js';
import { jobsPlugin } from './plugins/jobs/index.js';
import { portsPlugin } from './plugins/ports/index.js';
import { queueInfoPlugin } from './plugins/queue-info/index.js';
import { sysinfoPlugin } from './plugins/sysinfo/index.js';

/** Every plugin of the agent; one that does not fit the machine says so and stays off. */
export const agentPlugins: readonly AgentPlugin[] = [
  sysinfoPlugin,
  filesPlugin,
  jobsPlugin,
  queueInfoPlugin,
  portsPlugin,
];
