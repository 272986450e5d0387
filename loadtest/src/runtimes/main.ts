/**
 * `npm run bench:runtimes [-- --quick] [-- --json FILE]`: what starts, warm calls, fresh realms, kills and changes of
 * owners cost, for each language, inside the sandbox and without it, in one run; and the memory of an idle runtime.
 */
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { measuredLanguages } from './languages.js';
import { type Counts, measureLanguage, type Samples } from './measure.js';
import { readEmptyProcesses, readMemory } from './memory.js';
import { measureOwnPart } from './own-part.js';
import { flavourNameOf, type MeasuredPlatform, measuredLevels, startMeasuredPlatform } from './platform.js';
import { judge, type MemoryReading, toText } from './report.js';
import { newTarget } from './target.js';

const full: Counts = { first: 30, warm: 500, fresh: 50, kills: 10, alternating: 400 };
const quick: Counts = { first: 8, warm: 100, fresh: 15, kills: 3, alternating: 100 };
/** After a start or a call: what it left over is collected, spares are up. */
const idleMs = 5000;

const say = (text: string) => void process.stderr.write(`${text}\n`);

async function measureStarts(bench: MeasuredPlatform, starts: number): Promise<Samples[]> {
  const samples: Samples[] = [];
  for (const language of measuredLanguages)
    for (const level of measuredLevels) {
      const ms: number[] = [];
      for (let start = 0; start < starts; start += 1) {
        const { runtime, readyMs } = await bench.startRuntime(flavourNameOf(language, level));
        ms.push(readyMs);
        // The last one stays for what follows.
        if (start < starts - 1) await runtime.stop('SIGTERM');
      }
      samples.push({ language, level, figure: 'start of a runtime process', ms });
      say(`${language}, ${level}: started ${starts} times`);
    }
  return samples;
}

async function measureMemory(bench: MeasuredPlatform): Promise<MemoryReading[]> {
  const empty = { language: '-', level: 'process', state: 'two empty Node processes' } as const;
  const readings: MemoryReading[] = [{ ...empty, processes: await readEmptyProcesses(2, idleMs) }];
  for (const language of measuredLanguages)
    for (const level of measuredLevels) {
      const flavour = flavourNameOf(language, level);
      const { runtime } = await bench.startRuntime(flavour);
      await sleep(idleMs);
      readings.push({ language, level, state: 'idle, one spare', processes: readMemory(runtime.pid) });
      await runtime.stop('SIGTERM');
    }
  const target = await newTarget(bench.client, bench.platform.edgeUrl, {
    language: 'JS',
    flavour: flavourNameOf('JS', 'sandbox'),
  });
  const { runtime } = await bench.startRuntime(flavourNameOf('JS', 'sandbox'));
  await target.call();
  await sleep(idleMs);
  readings.push({
    language: 'JS',
    level: 'sandbox',
    state: 'idle, one owner and one spare',
    processes: readMemory(runtime.pid),
  });
  await runtime.stop('SIGTERM');
  return readings;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: 'string' }, quick: { type: 'boolean' } } });
  const counts = values.quick === true ? quick : full;
  say('Starting RabbitMQ, PostgreSQL and the platform …');
  const bench = await startMeasuredPlatform(measuredLanguages);
  try {
    const memory = await measureMemory(bench);
    say('memory measured');
    const samples = await measureOwnPart(counts.first);
    say('own part measured');
    samples.push(...(await measureStarts(bench, values.quick === true ? 3 : 7)));
    for (const language of measuredLanguages) {
      samples.push(...(await measureLanguage(bench, language, counts)));
      say(`${language} measured`);
    }
    const verdicts = judge(samples, memory);
    process.stdout.write(`${toText(samples, memory, verdicts)}\n`);
    if (values.json === undefined) return;
    const machine = {
      cpus: cpus().length,
      model: cpus()[0]?.model,
      node: process.version,
      kernel: release(),
    };
    const report = { at: new Date().toISOString(), machine, counts, verdicts, memory, samples };
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  } finally {
    await bench.stop();
  }
}

await main();
