import type { RuntimeLaunch, RuntimeProcess, RuntimeProcesses } from '@gantry/edge-frontend';
import { isDeadlineError } from '@gantry/kernel';
import { note, withProgress } from '../terminal.js';

const startTimeoutMs = 60_000;
/** Longer than any drain that the runtime itself allows. */
const drainTimeoutMs = 24 * 3_600_000;

/**
 * A runtime in this terminal, until it ends: Ctrl-C drains it, a second one ends it at once.
 * @returns its exit code
 */
export async function runAttached(
  processes: RuntimeProcesses,
  launch: RuntimeLaunch,
  options: {
    readonly flavour: string;
    readonly slots: number | undefined;
    onTaking(one: RuntimeProcess): void;
  },
): Promise<number> {
  const { flavour, slots } = options;
  const { record, child } = await processes.launch(flavour, launch, { slots, isAttached: true });
  const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
  let isDraining = false;
  const onSignal = () => {
    if (isDraining) {
      void processes.kill(record);
      return;
    }
    isDraining = true;
    const draining = processes.drain(record, { timeoutMs: drainTimeoutMs });
    void withProgress(`draining ${record.id}; Ctrl-C again ends it at once`, draining).catch(
      (error: unknown) => note(String(error)),
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const taking = processes.untilTaking(record, startTimeoutMs);
    await withProgress(`starting ${record.id}`, Promise.race([taking, ended]));
    const now = processes.list(flavour).find(({ id }) => id === record.id);
    if (now?.state === 'taking') options.onTaking(now);
    // A start that fails says why in this terminal, and in its exit code.
    return await ended;
  } catch (error) {
    await processes.kill(record);
    const code = await ended;
    if (isDeadlineError(error)) throw error;
    return code;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    processes.forget(record);
  }
}
