/** An agent with the plugin `jobs` as a process of its own, to be killed: `node … <data folder> <settings as JSON>`. */
import { jobsPlugin } from '../plugins/jobs/index.js';
import { startAgent } from './start-agent.js';

const [, , dataDir = '', settings = '{}'] = process.argv;
const running = await startAgent([jobsPlugin], { dataDir, settings: { jobs: JSON.parse(settings) } });
process.stdout.write(`${running.url}\n`);
