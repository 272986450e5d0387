/**
 * What Slurm has and does, in the same words for every version. Each question has several ways to be asked, newest
 * format first where it says most; the first that works is taken from then on.
 */
import type { Allocation, Queue, QueuedJob, QueueNode } from '@gantry/contracts';
import { type Clock, hasCode, type Logger, messageOf } from '@gantry/kernel';
import type { PluginThreads } from '../../core/ports.js';
import {
  associationsFormat,
  parseAllocations,
  parseJobLimits,
  parseShares,
  qosFormat,
  sharesFormat,
} from '../../slurm/formats/allocations.js';
import { jobsTextFormat, parseJobsJson, parseJobsText } from '../../slurm/formats/jobs.js';
import { parseNodesJson, parseNodesText } from '../../slurm/formats/nodes.js';
import { type Partition, parsePartitionsJson, parsePartitionsText } from '../../slurm/formats/partitions.js';
import type { SlurmCommands } from '../../slurm/slurm-commands.js';
import { summarizeQueues } from './summarize-queues.js';

export interface SlurmQueuesDeps {
  readonly commands: SlurmCommands;
  readonly threads: PluginThreads;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Way<T> {
  readonly program: string;
  readonly args: readonly string[];
  readonly parse: (text: string) => T | Promise<T>;
}

/** More than this is read in a thread. */
const threadFromBytes = 4 * 1024 * 1024;
const parseTimeoutMs = 60_000;

const partitionWays: readonly Way<readonly Partition[]>[] = [
  // The text comes first: only it tells which partition is the default.
  { program: 'scontrol', args: ['--all', '--oneliner', 'show', 'partition'], parse: parsePartitionsText },
  { program: 'scontrol', args: ['--json', 'show', 'partitions'], parse: fromJson(parsePartitionsJson) },
];

const nodeWays: readonly Way<readonly QueueNode[]>[] = [
  { program: 'scontrol', args: ['--json', 'show', 'nodes'], parse: fromJson(parseNodesJson) },
  // 22.05, whose scontrol has no JSON.
  { program: 'sinfo', args: ['--json'], parse: fromJson(parseNodesJson) },
  { program: 'scontrol', args: ['--all', '--oneliner', 'show', 'node'], parse: parseNodesText },
];

export class SlurmQueues {
  readonly #deps: SlurmQueuesDeps;
  readonly #jobWays: readonly Way<readonly QueuedJob[]>[];
  /** By question: the way that worked. */
  readonly #working = new Map<string, number>();

  constructor(deps: SlurmQueuesDeps) {
    this.#deps = deps;
    this.#jobWays = [
      { program: 'squeue', args: ['--json'], parse: (text) => this.#readJobs(text) },
      {
        program: 'squeue',
        args: ['--noheader', '--all', `--format=${jobsTextFormat}`],
        parse: parseJobsText,
      },
    ];
  }

  /** @throws {AppError} scheduler-unavailable, scheduler-refused */
  async readQueues(): Promise<Readonly<Record<string, Queue>>> {
    const [partitions, nodes, jobLimits] = await Promise.all([
      this.#ask('partitions', partitionWays),
      this.readNodes(),
      this.#readJobLimits(),
    ]);
    return summarizeQueues(partitions, nodes, jobLimits);
  }

  readNodes(): Promise<readonly QueueNode[]> {
    return this.#ask('nodes', nodeWays);
  }

  readJobs(): Promise<readonly QueuedJob[]> {
    return this.#ask('jobs', this.#jobWays);
  }

  /** None where Slurm keeps no accounts. */
  async readAllocations(): Promise<readonly Allocation[]> {
    const associations = await this.#askAccounting('sacctmgr', [
      'show',
      'assoc',
      `format=${associationsFormat}`,
    ]);
    if (associations === '') return [];
    const shares = await this.#askAccounting('sshare', ['--all', `--format=${sharesFormat}`]);
    return parseAllocations(associations, parseShares(shares));
  }

  async #readJobLimits(): Promise<ReadonlyMap<string, number>> {
    return parseJobLimits(await this.#askAccounting('sacctmgr', ['show', 'qos', `format=${qosFormat}`]));
  }

  /** Accounting is an extra of a site: without it there is nothing to tell, and no failure. */
  async #askAccounting(program: string, args: readonly string[]): Promise<string> {
    const { commands, logger } = this.#deps;
    try {
      return await commands.run(program, ['--noheader', '--parsable2', ...args]);
    } catch (error) {
      logger.debug('Slurm has no accounting to ask', { program, reason: messageOf(error) });
      return '';
    }
  }

  async #ask<T>(question: string, ways: readonly Way<T>[]): Promise<T> {
    const first = this.#working.get(question) ?? 0;
    let failure: unknown;
    for (const [at, way] of ways.entries()) {
      if (at < first) continue;
      try {
        const answer = await way.parse(await this.#deps.commands.run(way.program, way.args));
        this.#working.set(question, at);
        return answer;
      } catch (error) {
        // Only what the program itself refuses, or words in another format, are a reason to ask otherwise.
        if (!hasCode(error, 'scheduler-refused') && !(error instanceof SyntaxError)) throw error;
        failure ??= error;
      }
    }
    // An update of Slurm may have changed what works.
    this.#working.delete(question);
    throw failure;
  }

  async #readJobs(text: string): Promise<readonly QueuedJob[]> {
    const nowSeconds = Math.floor(this.#deps.clock.now() / 1000);
    if (text.length < threadFromBytes) return parseJobsJson(JSON.parse(text), nowSeconds);
    const worker = new URL('./parse-jobs.worker.js', import.meta.url);
    return this.#deps.threads.run(worker, { text, nowSeconds }, { timeoutMs: parseTimeoutMs });
  }
}

function fromJson<T>(parse: (document: unknown) => T): (text: string) => T {
  return (text) => parse(JSON.parse(text));
}
