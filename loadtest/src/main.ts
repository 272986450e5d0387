/**
 * Measures the pipeline (HTTP, token, broker, worker) beside bare request and reply over the same RabbitMQ, in turns,
 * so that both see the same machine. Everything that it starts ends with it.
 */
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { startPostgres } from '@gantry/test/support/postgres.js';
import { startRabbitMq } from '@gantry/test/support/rabbitmq.js';
import { type BenchSubject, startBareSubject } from './bare/bare-subject.js';
import { type Cell, measureCell, type Subject, subjects } from './cell.js';
import { compare, judge } from './compare.js';
import { startFloorSubject } from './floor/floor-subject.js';
import { pidListeningOn } from './measure/cpu.js';
import { type BenchOptions, parseOptions } from './options.js';
import { startPipelineSubject } from './pipeline/pipeline-subject.js';
import { toText } from './report.js';

const stops: (() => Promise<void>)[] = [];
/** Starts something and remembers how to stop it. */
async function start<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const started = await starting;
  if (stopping !== undefined) {
    await started.stop();
    throw new Error('Stopped while it started');
  }
  stops.push(() => started.stop());
  return started;
}

let stopping: Promise<void> | undefined;
/** Stops everything once, the last first; a signal and the end of the run may both ask for it. */
function stopAll(): Promise<void> {
  stopping ??= (async () => {
    for (let stop = stops.pop(); stop !== undefined; stop = stops.pop())
      await stop().catch((error: unknown) => say(`a part did not stop: ${String(error)}`));
  })();
  return stopping;
}

const say = (text: string) => void process.stderr.write(`${text}\n`);

async function startSubjects(options: BenchOptions): Promise<Record<Subject, BenchSubject>> {
  say('Starting RabbitMQ, PostgreSQL and the platform …');
  const rabbit = await start(startRabbitMq());
  const postgres = await start(startPostgres());
  const brokerUrl = rabbit.url;
  const shared = { brokerUrl, brokerPid: rabbit.pid, sizeBytes: options.sizeBytes };
  const storeUrl = await postgres.createDatabase();
  const storePid = pidListeningOn(portOf(storeUrl));
  return {
    bare: await start(startBareSubject({ ...shared, delivery: 'plain' })),
    confirmed: await start(startBareSubject({ ...shared, delivery: 'confirmed' })),
    floor: await start(startFloorSubject(shared)),
    pipeline: await start(startPipelineSubject({ ...shared, storeUrl, storePid })),
  };
}

const portOf = (url: string) => Number(new URL(url).port);

async function settle(subject: BenchSubject, workers: number, { settleMs }: BenchOptions): Promise<void> {
  if (!(await subject.setWorkers(workers))) return;
  await subject.generator.run({ concurrency: 16, warmMs: settleMs, measureMs: 500 }, () => undefined);
}

async function measure(bySubject: Record<Subject, BenchSubject>, options: BenchOptions): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (let repeat = 1; repeat <= options.repeats; repeat += 1)
    // There and back again: one change of workers a repeat.
    for (const workers of repeat % 2 === 1 ? [1, 2] : [2, 1]) {
      for (const subject of Object.values(bySubject)) await settle(subject, workers, options);
      for (const concurrency of options.concurrencies)
        for (const subject of subjects) {
          const { generator, accounts } = bySubject[subject];
          const order = { concurrency, warmMs: options.warmMs, measureMs: options.measureMs };
          const cell = await measureCell(generator, order, accounts(), { subject, repeat, workers });
          cells.push(cell);
          say(
            `repeat ${repeat}, ${workers} workers, ${concurrency} callers, ${subject}: ${cell.requestsPerSecond.toFixed(0)}/s, p50 ${cell.p50Us.toFixed(0)} µs, CPU ${cell.cpuUs.toFixed(0)} µs`,
          );
        }
    }
  return cells;
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  const cells = await measure(await startSubjects(options), options);
  const comparisons = compare(cells);
  const verdicts = judge(comparisons);
  process.stdout.write(`${toText(comparisons, verdicts)}\n`);
  if (options.jsonFile === undefined) return;
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, node: process.version, kernel: release() };
  const report = { at: new Date().toISOString(), machine, options, verdicts, comparisons, cells };
  writeFileSync(options.jsonFile, `${JSON.stringify(report, null, 2)}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void stopAll().then(() => process.exit(1)));
try {
  await main();
} catch (error) {
  // What is stopped in its midst fails; that is no news.
  if (stopping === undefined) say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
} finally {
  await stopAll();
}
