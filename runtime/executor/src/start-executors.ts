import { flavourOf } from '@gantry/contracts/execution';
import type { Logger } from '@gantry/kernel';
import type { Isolation } from './isolation/isolation.js';
import { probedFolder, whyNotStarted } from './isolation/probe.js';
import { resolveIsolation } from './isolation/resolve-isolation.js';
import { LanguageFinder, type LanguageState } from './language-finder.js';
import type { LanguageRuntime, Trial } from './languages/language.js';
import { languageRuntimes } from './languages/table.js';
import { keptBytesOf, type RuntimeOptions } from './runtime-options.js';
import { ProcessPool } from './sandbox/process-pool.js';
import { createStaging, type Staging } from './sandbox/staging.js';
import { moduleHintsOf, residentMiBOf, type ServedFlavour, serveFlavour } from './served-flavour.js';

const mebibyte = 1024 * 1024;
/** Code kept in each executor process. */
const executorCodeBytes = 64 * mebibyte;

/** One flavour with what runs its functions. */
export interface FlavourExecutors {
  readonly flavour: ServedFlavour;
  readonly isolation: Isolation;
  readonly pool: ProcessPool;
}

export interface Executors {
  readonly flavours: ReadonlyMap<string, FlavourExecutors>;
  readonly stateOf: LanguageFinder['stateOf'];
  /** Looks for languages that were missing. Answers whether one came. */
  lookAgain(): Promise<boolean>;
  /** Ends every process and removes their programs. */
  stop(): Promise<void>;
}

/** The level of each flavour as this machine can have it. */
export type Isolations = ReadonlyMap<string, Isolation>;

/** The flavours of a runtime within what its machine allows. */
const servedFlavours = (options: RuntimeOptions): ServedFlavour[] =>
  options.flavours.map((name) => serveFlavour(flavourOf(options.definitions, name), options));

/** Tries out each level once. @throws {IsolationError} when a level cannot be had, with the reason */
export async function resolveIsolations(options: RuntimeOptions): Promise<Isolations> {
  const resolved = new Map<string, Isolation>();
  const byFlavour = new Map<string, Isolation>();
  for (const { name, isolation: choice } of servedFlavours(options)) {
    const isolation =
      resolved.get(choice) ?? (await resolveIsolation(choice, { isProduction: options.isProduction }));
    resolved.set(choice, isolation);
    byFlavour.set(name, isolation);
  }
  return byFlavour;
}

/** The programs that some flavour declares a language of. */
const programsOf = (flavours: readonly ServedFlavour[]): LanguageRuntime[] =>
  languageRuntimes.filter((runtime) => flavours.some((flavour) => serves(flavour, runtime)));

const serves = ({ languages }: ServedFlavour, runtime: LanguageRuntime): boolean =>
  runtime.languages.some((language) => languages.includes(language));

/**
 * Stages the programs of all languages and starts one warm process for each that a flavour declares and the machine
 * can run.
 * @throws {IsolationError} when a level cannot be had
 * @throws {Error} when a process cannot be started, with the reason; nothing is left then
 */
export async function startExecutors(
  options: RuntimeOptions,
  deps: {
    logger: Logger;
    onLost: () => void;
    isolations?: Isolations | undefined;
    /** The first processes were spawned; they are not ready yet. */
    onSpawned?: () => void;
  },
): Promise<Executors> {
  const served = servedFlavours(options);
  const programs = programsOf(served);
  const resolving = Promise.resolve(deps.isolations ?? resolveIsolations(options));
  const finder = new LanguageFinder(programs, options, async (trial) => tryOut(trial, await resolving));
  const [isolations] = await Promise.all([resolving, finder.look()]);
  const stagings = new Map<boolean, Staging>();
  const flavours = new Map<string, FlavourExecutors>();
  const stop = async () => {
    await Promise.all([...flavours.values()].map(({ pool }) => pool.stop()));
    await Promise.all([...stagings.values()].map((staging) => staging.remove()));
  };
  try {
    for (const flavour of served) {
      const isolation = isolations.get(flavour.name);
      if (isolation === undefined) throw new Error(`no isolation for the flavour ${flavour.name}`);
      const staging = stagings.get(isolation.isOtherUser) ?? (await createStaging(programs, isolation));
      stagings.set(isolation.isOtherUser, staging);
      const runtimes = finder.available().filter((runtime) => serves(flavour, runtime));
      const pool = new ProcessPool({
        ...{ logger: deps.logger, onLost: deps.onLost, isolation, staging, runtimes },
        ...poolSettings(flavour, options),
      });
      flavours.set(flavour.name, { flavour, isolation, pool });
    }
    const ready = [...flavours.values()].map(({ pool }) => pool.start());
    deps.onSpawned?.();
    await Promise.all(ready);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    flavours,
    stateOf: (language): LanguageState => finder.stateOf(language),
    lookAgain: async () => {
      if (!(await finder.look())) return false;
      for (const { flavour, pool } of flavours.values())
        for (const runtime of finder.available()) if (serves(flavour, runtime)) pool.add(runtime);
      return true;
    },
    stop,
  };
}

/** Runs it at each level there is; answers the first reason why one cannot. */
async function tryOut({ file, args }: Trial, isolations: Isolations): Promise<string | undefined> {
  const plan = { file, args, readableFolder: probedFolder };
  const tries = [...new Set(isolations.values())].map((isolation) => whyNotStarted(isolation, plan, 'words'));
  return (await Promise.all(tries)).find((reason) => reason !== undefined);
}

function poolSettings(flavour: ServedFlavour, options: RuntimeOptions) {
  const { memoryMiB, scratchMiB, resultBytes, logBytes } = flavour.limits;
  const { warmFunctions, pythonExecutable, keptProcesses } = options;
  return {
    settings: { pythonExecutable, moduleHints: moduleHintsOf(options.definitions, flavour.name) },
    limits: { memoryMiB, scratchMiB, resultBytes, logBytes, warmFunctions, codeBytes: executorCodeBytes },
    residentMiBOf: (shape: { memoryMiB: number; scratchMiB: number }) =>
      residentMiBOf(shape, options.residentMiB),
    keptProcesses,
    keptBytes: keptBytesOf(options),
    niceness: flavour.niceness,
  };
}

/** One line for each flavour: how it is served, and why it is not kept apart more strictly. */
export function logServed({ flavours }: Executors, logger: Logger, fields: Record<string, string>): void {
  for (const { flavour, isolation } of flavours.values()) {
    logger.info('runtime takes executions', {
      op: 'runtime.start',
      ...fields,
      flavour: flavour.name,
      slots: flavour.slots,
      isolation: isolation.level,
      isolation_description: isolation.description,
      ...(isolation.weakerBecause === undefined ? {} : { weaker_because: isolation.weakerBecause }),
    });
  }
}
