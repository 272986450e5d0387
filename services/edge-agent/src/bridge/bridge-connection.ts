import { randomUUID } from 'node:crypto';
import {
  connectionHeader,
  instanceHeader,
  knownKeysHeader,
  type NodeCredential,
  tunnelPath,
} from '@gantry/contracts';
import type { Logger, Part } from '@gantry/kernel';
import { type Dialler, type DialState, describeEnd, dialTunnel, type TunnelHandler } from '@gantry/tunnel';

export interface BridgeConnectionOptions {
  /** Without a slash at the end. */
  readonly bridgeUrl: string;
  readonly ca: string | undefined;
  readonly connections: number;
  readonly credential: () => NodeCredential | undefined;
  readonly handler: TunnelHandler;
  readonly logger: Logger;
}

const graceMs = 2000;

/** Keeps the tunnels to the bridge open while it is started; that the bridge is away stops nothing here. */
export class BridgeConnection implements Part {
  readonly name = 'bridge';
  readonly #options: BridgeConnectionOptions;
  /** Of this process: its connections belong together, and those of an earlier one do not. */
  readonly #instance = randomUUID();
  #dialler: Dialler | undefined;
  #lastEnd: string | null = null;

  constructor(options: BridgeConnectionOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#dialler?.isConnected === true;
  }

  /** How the last attempt or connection ended, in words: a refusal of the bridge, for example. Null while connected. */
  get whyNotConnected(): string | null {
    return this.isConnected ? null : this.#lastEnd;
  }

  start(): void {
    const { bridgeUrl, ca, connections, credential, handler, logger } = this.#options;
    this.#dialler = dialTunnel({
      url: `${bridgeUrl.replace(/^http/, 'ws')}${tunnelPath}`,
      headers: (slot) => ({
        authorization: `Bearer ${credential()?.credential ?? ''}`,
        [instanceHeader]: this.#instance,
        [connectionHeader]: String(slot),
        [knownKeysHeader]: (credential()?.bridge_keys ?? []).map(({ id }) => id).join(','),
      }),
      ...(ca === undefined ? {} : { tls: { ca } }),
      handler,
      onConnect: handler,
      connections,
      logger,
      onState: (state, slot) => this.#tell(state, slot),
    });
  }

  async stop(): Promise<void> {
    await this.#dialler?.close({ graceMs });
  }

  #tell(state: DialState, slot: number): void {
    if (state.kind === 'waiting') this.#lastEnd = describeEnd(state.after);
    this.#options.logger.debug('connection to the bridge', {
      op: 'bridge.connection',
      slot,
      state: state.kind,
    });
  }
}
