/** A process with one agent in it, for tests that look at its memory or its death. Prints its address. */

import { silentLogger } from '@gantry/kernel';
import { guardProcess } from '../core/crash-guard.js';
import { filesPlugin } from '../plugins/files/index.js';
import { sysinfoPlugin } from '../plugins/sysinfo/index.js';
import { probePlugin } from './probe-plugin.js';
import { startAgent } from './start-agent.js';

const [dataDir = ''] = process.argv.slice(2);
const running = await startAgent([sysinfoPlugin, filesPlugin, probePlugin()], {
  dataDir,
  limits: { retryBaseMs: 20, retryMaxMs: 40 },
});
guardProcess(running.agent, silentLogger);
process.stdout.write(`${running.url}\n`);
process.on('SIGTERM', () => {
  void running.stop({ keepData: true }).then(() => process.exit(0));
});
