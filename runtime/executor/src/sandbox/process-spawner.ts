import { messageOf, withDeadline } from '@gantry/kernel';
import type { Isolation, Launch } from '../isolation/isolation.js';
import type { LanguageRuntime, LaunchOptions } from '../languages/language.js';
import { ExecutorProcess } from './executor-process.js';
import type { ExecutorLimits, ProcessShape } from './protocol.js';
import type { Staging } from './staging.js';

const defaultReadyWithinMs = 10_000;

export interface SpawnOptions {
  readonly settings: Omit<LaunchOptions, 'isRestricted'>;
  readonly isolation: Isolation;
  readonly staging: Staging;
  /** What the flavour allows; its shape is that of the spares. */
  readonly limits: ExecutorLimits;
  /** How long a process may take to start. */
  readonly readyWithinMs?: number;
  /** Resident memory at which a process of a shape is killed. */
  readonly residentMiBOf: (shape: ProcessShape) => number;
  /** Added to the niceness of the supervisor; 0 to 19. */
  readonly niceness?: number;
}

/** What a process is, beyond what it knows itself. */
export interface Kind {
  readonly runtime: LanguageRuntime;
  readonly shape: ProcessShape;
  readonly residentMiB: number;
  readonly startedMs: number;
  /** Rejects when it is not ready in time; it is ended then, whether somebody waits for it or not. */
  readonly inTime: Promise<void>;
  /** It ends after the call that has it. */
  isForOneCall: boolean;
}

/** Starts executor processes of one flavour. */
export class ProcessSpawner {
  readonly #options: SpawnOptions;

  constructor(options: SpawnOptions) {
    this.#options = options;
  }

  spawn(
    runtime: LanguageRuntime,
    { memoryMiB, scratchMiB }: ProcessShape,
    onExit: (dead: ExecutorProcess) => void,
  ): { readonly process: ExecutorProcess; readonly kind: Kind } {
    const { settings, staging, isolation, residentMiBOf } = this.#options;
    const { isRestricted } = isolation;
    const limits = { ...this.#options.limits, memoryMiB, scratchMiB };
    const plan = runtime.launch(isolation.folderInside(staging.folder), limits, {
      ...settings,
      isRestricted,
    });
    const file = plan.file === process.execPath ? staging.nodeFile : plan.file;
    const residentMiB = residentMiBOf(limits);
    const launch = isolation.launch(
      { ...plan, file, readableFolder: staging.folder },
      { residentMiB, scratchMiB },
    );
    const traits = { ...runtime, codeBytes: limits.codeBytes };
    const startedMs = performance.now();
    const started = new ExecutorProcess(traits, this.#niced(launch), onExit);
    const inTime = this.#untilReady(started);
    inTime.catch(() => undefined); // Whoever needs the process awaits it; a spare is logged when it ends.
    const shape = { memoryMiB, scratchMiB };
    return {
      process: started,
      kind: { runtime, shape, residentMiB, startedMs, inTime, isForOneCall: false },
    };
  }

  async #untilReady(started: ExecutorProcess): Promise<void> {
    try {
      const { readyWithinMs = defaultReadyWithinMs } = this.#options;
      await withDeadline(started.ready, readyWithinMs, 'starting an executor process');
    } catch (error) {
      started.kill({ code: 'worker-lost', text: messageOf(error) });
      throw error;
    }
  }

  /** `nice` becomes the program it is given: the process stays the same one. */
  #niced(launch: Launch): Launch {
    const { niceness = 0 } = this.#options;
    if (niceness === 0) return launch;
    return { ...launch, file: '/usr/bin/nice', args: ['-n', String(niceness), launch.file, ...launch.args] };
  }
}
