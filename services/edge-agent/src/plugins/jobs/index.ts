import { homedir } from 'node:os';
import { join } from 'node:path';
import type { JobEvent } from '@gantry/contracts';
import { isFinalJobState } from '@gantry/contracts';
import type { AgentPlugin, PluginContext } from '../../core/ports.js';
import { createSlurmCommands } from '../../slurm/slurm-commands.js';
import { systemEnvironment } from '../../slurm/system-environment.js';
import { type JobsConfig, jobsConfigSchema } from './config.js';
import type { JobExecutor } from './executor.js';
import { LocalExecutor } from './executors/local/local-executor.js';
import { SlurmExecutor } from './executors/slurm/slurm-executor.js';
import type { Job } from './job.js';
import { type OutputStream, outputPathOf } from './job-folder.js';
import { buildJobRoutes } from './job-routes.js';
import { JobStore } from './job-store.js';
import { Jobs } from './jobs.js';
import { buildPsijRoutes } from './psij-routes.js';
import { readOutput, toText } from './read-output.js';

/** What an event carries of each output: six times that, escaped as JSON, still fits into an event. */
const eventOutputBytes = 16 * 1024;

/** Runs programs: as processes of the node, or through its batch system. */
export const jobsPlugin: AgentPlugin<JobsConfig> = {
  name: 'jobs',
  aliases: ['psij'],
  version: '1.0.0',
  configSchema: jobsConfigSchema,
  ui: {
    icon: '🚀',
    title: 'Jobs',
    description: 'Submit programs to the node or its batch system, and follow them.',
    refresh_button: true,
    monitors: [{ id: 'jobs', type: 'task_list', title: 'Jobs', auto_load: 'list_jobs' }],
    notifications: { topic: 'job_status', id_field: 'job_id', state_field: 'state' },
  },
  isSupported: async () =>
    process.platform === 'linux' ? true : `needs Linux (/proc); this is ${process.platform}`,
  start: async (context) => {
    const { config, logger, clock, events } = context;
    const store = await JobStore.open(config.folder || join(context.dataDir, 'jobs'), logger);
    const outputPath = (job: Job, stream: OutputStream, index: number | null) =>
      outputPathOf(job, store.folderOf(job.id), stream, index, job.spec.directory ?? homedir());
    const executors = await openExecutors(context, store, () => jobs.lookSoon('local'));
    const jobs = new Jobs({
      store,
      executors,
      limits: config,
      events,
      describe: (job, event) => describeEvent(job, event, outputPath),
      clock,
      logger,
    });
    await jobs.resume();
    const deps = { jobs, outputPath };
    return {
      routes: [...buildJobRoutes(deps), ...buildPsijRoutes(deps)],
      health: () =>
        jobs.problems.length === 0
          ? { status: 'healthy' }
          : { status: 'degraded', detail: jobs.problems.join('; ') },
      facts: () => ({ executors: executors.map(({ name }) => name) }),
      stop: () => jobs.close(),
    };
  },
};

async function openExecutors(
  { config, clock, logger }: PluginContext<JobsConfig>,
  store: JobStore,
  onLocalChange: () => void,
): Promise<readonly JobExecutor[]> {
  const executors: JobExecutor[] = [];
  if (config.executors.includes('local'))
    executors.push(
      new LocalExecutor({
        folderOf: (id) => store.folderOf(id),
        find: (id) => store.get(id),
        home: homedir(),
        environment: systemEnvironment(),
        maxRunning: config.localMaxRunning,
        killGraceMs: config.localKillGraceSeconds * 1000,
        clock,
        logger,
        onChange: onLocalChange,
      }),
    );
  const commands = createSlurmCommands({
    binFolder: config.slurmBinFolder,
    conf: config.slurmConf,
    environment: systemEnvironment(),
  });
  if (config.executors.includes('slurm') && commands.has('sbatch'))
    executors.push(
      new SlurmExecutor({
        commands,
        folderOf: (id) => store.folderOf(id),
        find: (id) => store.get(id),
        home: homedir(),
        pollMs: config.slurmPollSeconds * 1000,
        logger,
      }),
    );
  return executors;
}

/** The end of a job comes with the end of its output; older clients read both fields of every event. */
async function describeEvent(
  job: Job,
  { state, index }: JobEvent,
  outputPath: (job: Job, stream: OutputStream, index: number | null) => string,
): Promise<Record<string, unknown>> {
  const about = { executor: job.executor, native_id: job.nativeId, name: job.spec.name ?? null };
  const isWholeArray = index === null && job.spec.array !== undefined;
  if (!isFinalJobState(state) || isWholeArray) return { ...about, stdout: '', stderr: '' };
  const tail = async (stream: OutputStream): Promise<string> => {
    const path = outputPath(job, stream, index);
    try {
      const { size } = await readOutput(path, 0, 0);
      const piece = await readOutput(path, Math.max(0, size - eventOutputBytes), eventOutputBytes);
      return toText(piece, true).text;
    } catch {
      return '';
    }
  };
  return { ...about, stdout: await tail('stdout'), stderr: await tail('stderr') };
}
