import { join } from 'node:path';
import { jest } from '@jest/globals';
import { describeRuntimeScaler, flavour, maxRuntimes } from '../../contract/runtime-scaler.contract.js';
import { fakeRuntimeProgram } from '../../test-support/fake-runtime-program.js';
import { FleetScaler } from '../../usecases/fleet-scaler.js';
import { localFleet } from './local-fleet.js';
import { RuntimeProcesses } from './runtime-processes.js';

// Each case starts several processes; a busy machine takes its time.
jest.setTimeout(60_000);

describeRuntimeScaler('processes of this machine', async () => {
  const program = fakeRuntimeProgram();
  const processes = new RuntimeProcesses(join(program.folder, 'runtimes'));
  const { launch } = program;
  const alive = () => processes.list(flavour).filter(({ state }) => state !== 'lost');
  await processes.start(flavour, launch, { timeoutMs: 20_000 });
  return {
    scaler: new FleetScaler(localFleet({ processes, launch, maxRuntimes })),
    behave: program.behave,
    alive: async () => alive().length,
    stop: async () => {
      await Promise.all(alive().map((one) => processes.kill(one)));
      program.remove();
    },
  };
});
