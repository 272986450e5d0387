import { type Principal, runningServiceState, type Scaled } from '@gantry/contracts';
import { AppError, type Clock, isAppError, type Logger } from '@gantry/kernel';
import type { RuntimeScaler } from '../ports.js';

export interface ScaleDeps {
  /** Undefined: this edge frontend does not scale. */
  readonly scaler: RuntimeScaler | undefined;
  readonly clusterName: string;
  readonly flavours: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly countScaling: (flavour: string, outcome: string) => void;
}

export interface ScaleCommand {
  readonly flavour: string | undefined;
  /** 0 is taken as 1. */
  readonly count: number;
  readonly principal: Principal;
}

/** The original grants 60 s for each virtual machine and 10 s more. No client waits longer than {@link longestMs}. */
const eachMs = 60_000;
const baseMs = 10_000;
const longestMs = 240_000;

/**
 * Brings a flavour to as many runtimes as asked for; on return they take executions.
 * @throws {AppError} invalid-request, scaling-disabled, scaling-in-progress, scaling-failed, scaling-timeout
 */
export async function scaleRuntimes(deps: ScaleDeps, command: ScaleCommand): Promise<Scaled> {
  const { clock, countScaling, logger, scaler } = deps;
  if (scaler === undefined)
    throw new AppError('scaling-disabled', 'Runtimes of this edge cluster are started and stopped by hand');
  const flavour = chooseFlavour(command.flavour, deps.flavours);
  const count = Math.max(1, command.count);
  refuseTooMany(count, scaler);
  const initial = await scaler.countOf(flavour);
  const startMs = clock.monotonicMs();
  let outcome = initial === count ? 'unchanged' : 'scaled';
  try {
    if (initial !== count) await scaler.scaleTo(flavour, count, { timeoutMs: timeoutMsOf(initial, count) });
  } catch (error) {
    outcome = isAppError(error) ? error.code : 'failed';
    throw error;
  } finally {
    countScaling(flavour, outcome);
    // Who changed what the cluster can do, for an audit.
    const isDone = outcome === 'scaled' || outcome === 'unchanged';
    const message = isDone ? 'runtimes were scaled' : 'runtimes could not be scaled';
    logger[isDone ? 'info' : 'warn'](message, {
      ...{ op: 'runtimes.scale', outcome, flavour, account: command.principal.user, initial, target: count },
      duration_ms: Math.round(clock.monotonicMs() - startMs),
    });
  }
  return {
    service_id: `${deps.clusterName}/${flavour}`,
    state: runningServiceState,
    initial_cardinality: initial,
    final_cardinality: await scaler.countOf(flavour),
    message:
      outcome === 'scaled'
        ? 'Scaling operation completed successfully'
        : `There were ${count} runtimes already`,
  };
}

function chooseFlavour(asked: string | undefined, served: readonly string[]): string {
  const choices = served.join(', ');
  if (asked === undefined) {
    const [only] = served;
    if (only !== undefined && served.length === 1) return only;
    throw refused('/query/flavour', `Say which flavour to scale: ${choices}`);
  }
  if (served.includes(asked)) return asked;
  throw refused('/query/flavour', `This cluster does not serve that flavour; it serves ${choices}`);
}

function refuseTooMany(count: number, { maxRuntimes }: RuntimeScaler): void {
  if (count > maxRuntimes)
    throw refused('/query/target_cardinality', `A flavour can have ${maxRuntimes} runtimes here at most`);
}

const refused = (pointer: string, detail: string): AppError =>
  new AppError('invalid-request', detail, { errors: [{ pointer, detail }] });

const timeoutMsOf = (initial: number, count: number): number =>
  Math.min(longestMs, baseMs + eachMs * Math.abs(count - initial));
