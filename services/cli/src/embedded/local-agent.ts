/**
 * The edge agent of this machine, as a process of its own beside the platform: it enrols itself once and then has its
 * own credential, and nothing else of the platform's.
 * Stages: enrolled → running ⇄ waiting to be started again → stopped.
 *
 * I1. It never outlives the platform: it ends with its standard input, also when the platform is killed.
 * I2. A process that ends is started again, later each time, as long as the platform runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { BridgeSurface } from '@gantry/bridge';
import { inheritedEnvironment } from '@gantry/config';
import { nodeNameSchema } from '@gantry/contracts';
import { hostNodeName } from '@gantry/edge-agent/config';
import { agentProgram } from '@gantry/edge-agent/program';
import { fullJitterMs, type Logger, type Part } from '@gantry/kernel';

export interface LocalAgentOptions {
  readonly bridge: BridgeSurface;
  readonly bridgeUrl: () => string;
  /** Of the platform; the agent gets a folder inside. */
  readonly dataDir: string;
  /** Empty: after the machine. */
  readonly name: string;
  readonly logLevel: string;
  readonly logFormat: string;
  readonly logger: Logger;
}

/** Whose node it is: the first account. */
const owner = 'admin';
const stopMs = 3000;
const connectMs = 5000;
/** A process that ran this long starts again without a wait. */
const soundMs = 60_000;

/** What the node of this machine is called. @param given empty: after the machine */
export function localNodeName(given: string): string {
  const name = given === '' ? hostNodeName() : given;
  // A machine may be called like a path of the bridge.
  return nodeNameSchema.safeParse(name).success ? name : `host-${name}`;
}

export class LocalAgent implements Part {
  readonly name = 'local agent';
  readonly nodeName: string;
  readonly #options: LocalAgentOptions;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #isStopping = false;

  constructor(options: LocalAgentOptions) {
    this.#options = options;
    this.#folder = resolve(options.dataDir, 'agent');
    this.nodeName = localNodeName(options.name);
  }

  async start(): Promise<void> {
    const { bridge } = this.#options;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const kept = readCredential(join(this.#folder, 'credential.json'));
    if (kept === undefined || !(await bridge.isCredentialOf(this.nodeName, kept))) {
      const token = await bridge.enrol(this.nodeName, owner);
      writeFileSync(this.#tokenFile, token, { mode: 0o600 });
    }
    this.#spawn();
  }

  /** Waits a moment for it to connect, so that the first list of nodes has it; answers whether it did. */
  async connected(): Promise<boolean> {
    const endMs = performance.now() + connectMs;
    while (performance.now() < endMs && !this.#isStopping) {
      if (this.#options.bridge.isConnected(this.nodeName)) return true;
      await new Promise((wake) => setTimeout(wake, 50));
    }
    return false;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((done) => child.once('exit', () => done()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
    await ended;
    clearTimeout(timer);
  }

  get #tokenFile(): string {
    return join(this.#folder, 'enrolment-token');
  }

  #spawn(): void {
    const { bridgeUrl, logFormat, logLevel, logger } = this.#options;
    const startedMs = performance.now();
    const child = spawn(process.execPath, [agentProgram], {
      env: {
        ...foreignEnvironment(),
        GANTRY_AGENT_NAME: this.nodeName,
        GANTRY_BRIDGE_URL: bridgeUrl(),
        GANTRY_AGENT_DATA_DIR: this.#folder,
        GANTRY_NODE_ENROLMENT_TOKEN_FILE: this.#tokenFile,
        GANTRY_AGENT_EXITS_WITH_STDIN: 'true',
        GANTRY_LOG_LEVEL: logLevel === 'debug' ? 'debug' : 'warn',
        GANTRY_LOG_FORMAT: logFormat,
      },
      // I1. Its log is the platform's; standard output is for what programs read.
      stdio: ['pipe', process.stderr, process.stderr],
      // Ctrl-C is the platform's business, which ends the agent in its turn.
      detached: true,
    });
    this.#child = child;
    child.stdin?.on('error', () => undefined);
    child.once('error', (error) => logger.error('the local agent cannot be started', { error }));
    child.once('exit', (code, signal) => {
      if (this.#isStopping) return;
      this.#failures = performance.now() - startedMs > soundMs ? 0 : this.#failures + 1;
      logger.warn('the local agent has ended and is started again', { code, signal });
      this.#timer = setTimeout(() => this.#spawn(), fullJitterMs(this.#failures, 1000, 30_000)); // I2
    });
  }
}

/** Without the platform's settings: some of them are secrets, and none is the agent's. */
const foreignEnvironment = () =>
  Object.fromEntries(Object.entries(inheritedEnvironment()).filter(([name]) => !name.startsWith('GANTRY_')));

function readCredential(path: string): string | undefined {
  try {
    const { credential } = JSON.parse(readFileSync(path, 'utf8')) as { credential?: unknown };
    return typeof credential === 'string' ? credential : undefined;
  } catch {
    return undefined;
  }
}
