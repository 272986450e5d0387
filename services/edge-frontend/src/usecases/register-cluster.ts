import type { ClusterReport } from '@gantry/contracts';
import { type Clock, type Logger, messageOf, type Part } from '@gantry/kernel';
import type { CloudLink } from '../ports.js';

export interface ClusterRegistrationOptions {
  readonly cloud: Pick<CloudLink, 'reportCluster'>;
  /** Made anew for each report. */
  readonly report: () => ClusterReport;
  /** The cluster counts as registered once the cloud has heard of a runtime for each of these. */
  readonly flavours: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly beatMs?: number;
}

/**
 * Registers the cluster at the cloud frontend and keeps it known: one report every five seconds, and one at once when
 * the live flavours change. Once registered, a cloud that does not answer changes nothing here.
 */
export class ClusterRegistration implements Part {
  readonly name = 'cluster registration';
  readonly #options: Required<ClusterRegistrationOptions>;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #lastBeatMs = -Infinity;
  #lastFlavours = '';
  #lastFailure: string | undefined;
  #problem: string | undefined = 'the cluster has not been registered yet';

  constructor(options: ClusterRegistrationOptions) {
    this.#options = { beatMs: 5000, ...options };
  }

  /** Why the cluster is not registered; undefined once it was. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Does not wait for the cloud: a cluster without one still serves whoever it knows. */
  start(): void {
    void this.#beat();
    this.#timer = setInterval(() => this.#beatWhenDue(), Math.min(250, this.#options.beatMs));
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
  }

  #beatWhenDue(): void {
    const { beatMs, clock, report } = this.#options;
    const isDue = clock.monotonicMs() - this.#lastBeatMs >= beatMs;
    const isChanged = this.#problem === undefined && report().flavours.join() !== this.#lastFlavours;
    // Not registered yet: asked more often, for a quick start.
    if (isDue || isChanged || this.#problem !== undefined) void this.#beat();
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#beatOnce().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beatOnce(): Promise<void> {
    const { clock, cloud, flavours, logger, report } = this.#options;
    this.#lastBeatMs = clock.monotonicMs();
    const current = report();
    try {
      await cloud.reportCluster(current);
      this.#lastFlavours = current.flavours.join();
      if (this.#problem === undefined) return;
      const missing = flavours.filter((flavour) => !current.flavours.includes(flavour));
      // Offered without a runtime it would be chosen by nobody: devices that ask now would find no cluster.
      this.#problem =
        missing.length === 0 ? undefined : `the cluster is registered without ${missing.join(', ')}`;
      if (missing.length === 0) logger.info('the cluster is registered', { flavours: current.flavours });
    } catch (error) {
      const problem = messageOf(error);
      if (this.#problem !== undefined) this.#problem = problem;
      if (problem !== this.#lastFailure) logger.warn('the cluster cannot be reported', { reason: problem });
      this.#lastFailure = problem;
    }
  }
}
