import type { RuntimeProcess, RuntimeProcesses } from '@gantry/edge-frontend';
import { UsageError } from '../commands/usage-error.js';
import { withProgress } from '../terminal.js';

export interface StopWish {
  readonly flavour: string;
  /** `Nature.2`, or `2`. */
  readonly id: string | undefined;
  readonly isAll: boolean;
  /** Without draining. */
  readonly isNow: boolean;
  readonly timeoutMs: number;
}

/** Some still ran something when the time was over: exit code 5. */
class StillRunningError extends Error {
  readonly code = 'timeout';
}

/**
 * Ends the runtimes that are meant and answers their ids.
 * @throws {UsageError} when it is not clear which are meant
 * @throws {StillRunningError} when some did not end in time; those go on draining
 */
export async function stopRuntimes(processes: RuntimeProcesses, wish: StopWish): Promise<string[]> {
  const live = processes.list(wish.flavour).filter(({ state }) => state !== 'lost');
  const meant = choose(live, wish);
  const ids = meant.map(({ id }) => id);
  const stopping = Promise.all(
    meant.map((one) => (wish.isNow ? processes.kill(one) : processes.drain(one, wish))),
  );
  const ended = await withProgress(`${wish.isNow ? 'ending' : 'draining'} ${ids.join(', ')}`, stopping);
  const left = new Set(ids.filter((_id, index) => ended[index] === false));
  const stillThere = processes.list(wish.flavour).filter(({ id }) => left.has(id));
  if (stillThere.length === 0) return ids;
  const reasons = stillThere.map(
    ({ id, pid, running }) =>
      `${id} (process ${pid}) still runs ${running} execution${running === 1 ? '' : 's'}`,
  );
  throw new StillRunningError(
    `${reasons.join(', ')} after ${wish.timeoutMs / 1000} s. It takes nothing new and ends by itself; ` +
      `"gantry runtime stop ${wish.flavour} --all --now" ends it at once, and what it runs is lost.`,
  );
}

function choose(
  live: readonly RuntimeProcess[],
  { flavour, id, isAll }: StopWish,
): readonly RuntimeProcess[] {
  if (isAll && id === undefined) return live;
  if (isAll) throw new UsageError('name one runtime or say --all, not both');
  const choices = live.map((one) => one.id).join(', ') || 'none runs as a process';
  if (id === undefined) {
    if (live.length <= 1) return live;
    throw new UsageError(`say which one, or --all: ${choices}`);
  }
  const one = live.find((candidate) => candidate.id === id || candidate.id === `${flavour}.${id}`);
  if (one === undefined) throw new UsageError(`there is no runtime "${id}" of "${flavour}" here: ${choices}`);
  return [one];
}
