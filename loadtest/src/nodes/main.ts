/**
 * `npm run bench:nodes [-- --quick] [-- --json FILE]`: a bridge in a process of its own with 1,000 nodes that do nothing,
 * and a file of 1 GiB to a node and back. Ends with 1 when a target is missed.
 */
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { type BridgeProcess, startBridgeProcess } from '@gantry/test/support/bridge-process.js';
import { garbageOptions } from '@gantry/test/support/process-memory.js';
import { toVerdictLine, type Verdict } from '../table.js';
import { type IdleNodes, measureIdleNodes } from './idle-nodes.js';
import { type LargeFile, measureLargeFile } from './large-file.js';

const full = { nodes: 1000, fileMiB: 1024 };
const quick = { nodes: 200, fileMiB: 256 };
const kib = 1024;
const mib = 1024 * 1024;
const say = (text: string) => void process.stderr.write(`${text}\n`);

const judge = (name: string, value: number, limit: number): Verdict => ({
  ...{ name, value, limit },
  isMet: value <= limit,
});

const judgeAll = (idle: IdleNodes, file: LargeFile): readonly Verdict[] => [
  judge(`KiB of the bridge per idle node, ${idle.nodes} connected`, idle.bytesPerNode / kib, 150),
  judge('MB that the bridge grew by while the file passed', file.bridgeGrowthBytes / 1e6, 100),
  judge('MB that the agent grew by while the file passed', file.agentGrowthBytes / 1e6, 100),
];

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  const { fileMiB, nodes } = values.quick ? quick : full;
  say(`Connecting ${nodes} idle nodes …`);
  const idle = await withBridge((bridge) => measureIdleNodes(bridge, nodes));
  say(`A file of ${fileMiB} MiB to a node and back …`);
  const file = await withBridge((bridge) => measureLargeFile(bridge, fileMiB));
  const verdicts = judgeAll(idle, file);
  const rate = (ms: number) => (file.sizeBytes / mib / (ms / 1000)).toFixed(0);
  const lines = [
    ...verdicts.map(toVerdictLine),
    `The file went up with ${rate(file.upMs)} MiB/s and came down with ${rate(file.downMs)} MiB/s.`,
    `${nodes} nodes enrolled and joined in ${(idle.joinedMs / 1000).toFixed(1)} s; a call to each took ${(idle.callsMs / 1000).toFixed(1)} s.`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  if (!verdicts.every(({ isMet }) => isMet)) process.exitCode = 1;
  if (values.json === undefined) return;
  const machine = {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    node: process.version,
    kernel: release(),
  };
  const report = { at: new Date().toISOString(), machine, idle, file, verdicts };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

/** Each measure has a bridge of its own: what one gives back would be counted as less for the other. */
async function withBridge<T>(measure: (bridge: BridgeProcess) => Promise<T>): Promise<T> {
  const bridge = await startBridgeProcess({ env: garbageOptions });
  try {
    return await measure(bridge);
  } finally {
    await bridge.stop();
  }
}

await main();
