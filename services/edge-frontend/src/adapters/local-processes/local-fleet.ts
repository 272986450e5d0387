import type { FleetMember, RuntimeFleet } from '../../ports.js';
import type { RuntimeLaunch } from './runtime-launch.js';
import type { RuntimeProcess, RuntimeProcesses } from './runtime-processes.js';

export interface LocalFleetOptions {
  readonly processes: RuntimeProcesses;
  readonly launch: RuntimeLaunch;
  readonly maxRuntimes: number;
}

/** Runtimes as processes of this machine; they outlive the edge frontend, which finds them again. */
export function localFleet({ processes, launch, maxRuntimes }: LocalFleetOptions): RuntimeFleet {
  const alive = (flavour: string) => processes.list(flavour).filter(({ state }) => state !== 'lost');
  return {
    maxRuntimes,
    list: async (flavour) => alive(flavour).map(toMember),
    start: async (flavour, { timeoutMs }) => {
      await processes.start(flavour, launch, { timeoutMs });
    },
    drain: async (flavour, id, options) => {
      const process = alive(flavour).find((one) => one.id === id);
      return process === undefined ? true : processes.drain(process, options);
    },
    claim: (flavour) => processes.claim(flavour),
  };
}

const toMember = ({ id, state }: RuntimeProcess): FleetMember => ({ id, isDraining: state === 'draining' });
