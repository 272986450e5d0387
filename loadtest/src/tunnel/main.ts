/**
 * `npm run bench:tunnel [-- --quick] [-- --json FILE]`: a node reached directly beside the same node through bridge
 * and tunnel, in turns in one run; and what an idle node costs the bridge.
 */
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { type Generator, startForked, startGenerator } from '../measure/forked.js';
import { measureIdleMemory } from './idle-memory.js';
import {
  compareWays,
  exchanges,
  measureTunnel,
  type Pids,
  type TunnelCell,
  type Way,
  ways,
} from './measure.js';
import { judgeMemory, toText } from './report.js';

const full = { repeats: 5, warmMs: 1000, measureMs: 4000 };
const quick = { repeats: 3, warmMs: 400, measureMs: 1200 };
const concurrencies = [1, 16, 64];
const idleNodes = 1000;

const say = (text: string) => void process.stderr.write(`${text}\n`);
const stops: (() => Promise<void>)[] = [];

async function started<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const part = await starting;
  stops.push(() => part.stop());
  return part;
}

async function stopAll(): Promise<void> {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
}

async function measureAll(counts: typeof full): Promise<TunnelCell[]> {
  const bridge = await started(startForked('tunnel/bridge.js', []));
  const node = await started(startForked('tunnel/agent.js', [`ws://127.0.0.1:${bridge.port}/tunnel`]));
  const pids: Pids = { node: node.pid, bridge: bridge.pid };
  const urls: Record<Way, string> = {
    direct: `http://127.0.0.1:${node.port}`,
    tunnelled: `http://127.0.0.1:${bridge.port}`,
  };
  const generators = new Map<string, Generator>();
  for (const { method, size } of exchanges)
    for (const way of ways)
      generators.set(
        `${way} ${method} ${size}`,
        await started(startGenerator('tunnel/generator.js', [urls[way], method, size])),
      );
  const cells: TunnelCell[] = [];
  const { warmMs, measureMs, repeats } = counts;
  for (let repeat = 1; repeat <= repeats; repeat += 1)
    for (const { method, size } of exchanges)
      for (const concurrency of concurrencies)
        for (const way of ways) {
          const generator = generators.get(`${way} ${method} ${size}`);
          if (generator === undefined) throw new Error('every way has its generator');
          const identity = { method, size, way, repeat };
          const cell = await measureTunnel(generator, { concurrency, warmMs, measureMs }, pids, identity);
          cells.push(cell);
          say(
            `repeat ${repeat}, ${method} ${size}, ${concurrency} callers, ${way}: ${cell.requestsPerSecond.toFixed(0)}/s, p50 ${cell.p50Us.toFixed(0)} µs, CPU ${(cell.nodeUs + cell.bridgeUs).toFixed(0)} µs`,
          );
        }
  return cells;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  say(`Connecting ${idleNodes} idle nodes …`);
  const memory = await measureIdleMemory(idleNodes);
  const cells = await measureAll(values.quick ? quick : full);
  const rows = compareWays(cells);
  process.stdout.write(`${toText(rows, memory)}\n`);
  if (values.json === undefined) return;
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, node: process.version, kernel: release() };
  const report = { at: new Date().toISOString(), machine, memory, verdict: judgeMemory(memory), rows, cells };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void stopAll().then(() => process.exit(1)));
try {
  await main();
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
} finally {
  await stopAll();
}
