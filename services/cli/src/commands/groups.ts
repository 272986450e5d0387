/** The groups of commands. Only those that a command line names are loaded: together they are the whole platform. */
import type { Command } from 'commander';

type AddCommands = (program: Command) => void;

interface Group {
  /** Names of its commands on the first level. */
  readonly names: readonly string[];
  readonly load: () => Promise<AddCommands>;
}

/** In the order of the help. */
const groups: readonly Group[] = [
  { names: ['demo'], load: async () => (await import('./demo.js')).addDemo },
  { names: ['users'], load: async () => (await import('./users.js')).addUsers },
  { names: ['keys', 'token'], load: async () => (await import('./tokens.js')).addTokens },
  { names: ['functions'], load: async () => (await import('./functions.js')).addFunctions },
  { names: ['call', 'executions'], load: async () => (await import('./executions.js')).addExecutions },
  { names: ['flavours'], load: async () => (await import('./flavours.js')).addFlavours },
  { names: ['runtime'], load: async () => (await import('./runtime.js')).addRuntime },
  { names: ['clusters'], load: async () => (await import('./clusters.js')).addClusters },
  { names: ['agent'], load: async () => (await import('./agent.js')).addAgent },
  { names: ['nodes'], load: async () => (await import('./nodes.js')).addNodes },
  { names: ['jobs'], load: async () => (await import('./jobs.js')).addJobs },
  { names: ['queues'], load: async () => (await import('./queues.js')).addQueues },
  { names: ['files'], load: async () => (await import('./files.js')).addFiles },
  { names: ['ports'], load: async () => (await import('./ports.js')).addPorts },
  { names: ['config'], load: async () => (await import('./config.js')).addConfig },
];

/** Adds the commands that `argv` may mean: those whose name is among its words, else all. */
export async function addGroups(program: Command, argv: readonly string[]): Promise<void> {
  const named = groups.filter(({ names }) => names.some((name) => argv.includes(name)));
  for (const add of await Promise.all((named.length > 0 ? named : groups).map(({ load }) => load())))
    add(program);
}
