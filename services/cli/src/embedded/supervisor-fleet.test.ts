import { FleetScaler } from '@gantry/edge-frontend';
import {
  describeRuntimeScaler,
  flavour,
  maxRuntimes,
  type RuntimeBehaviour,
} from '@gantry/edge-frontend/contract';
import { expect, it } from '@jest/globals';
import { type FleetRuntime, SupervisorFleet } from './supervisor-fleet.js';

/** Runtimes that start and drain as they are told, without a broker. */
class FakeRuntimes {
  readonly open = new Set<string>();
  #made = 0;
  #how: RuntimeBehaviour = 'well';
  readonly #waiting = new Set<() => void>();

  behave(how: RuntimeBehaviour): void {
    this.#how = how;
    if (how !== 'busy') for (const wake of this.#waiting) wake();
  }

  readonly make = async (): Promise<FleetRuntime> => {
    this.#made += 1;
    const runtimeId = `r${this.#made}`;
    this.open.add(runtimeId);
    let isTaking = false;
    return {
      runtime: {
        runtimeId,
        start: async () => {
          if (this.#how === 'fail') throw new Error('there is no broker');
          isTaking = this.#how !== 'hang';
        },
        notReady: () => (isTaking ? undefined : 'the runtime is starting'),
        drain: () => this.#drain(),
        stop: async () => undefined,
      },
      close: async () => {
        this.open.delete(runtimeId);
      },
    };
  };

  async #drain(): Promise<void> {
    if (this.#how !== 'busy') return;
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }
}

const open = () => {
  const runtimes = new FakeRuntimes();
  const fleet = new SupervisorFleet({ maxRuntimes, make: runtimes.make, drainMs: 1000 });
  return { runtimes, fleet, scaler: new FleetScaler(fleet) };
};

describeRuntimeScaler('further runtimes of the embedded platform', async () => {
  const { runtimes, fleet, scaler } = open();
  return {
    scaler,
    behave: (how) => runtimes.behave(how),
    // The first one is the platform's own.
    alive: async () => 1 + runtimes.open.size,
    stop: () => fleet.stop(),
  };
});

it('the platform stops all of them, also those that drain', async () => {
  const { runtimes, fleet, scaler } = open();
  await scaler.scaleTo(flavour, 4, { timeoutMs: 5000 });
  runtimes.behave('busy');
  await expect(scaler.scaleTo(flavour, 2, { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'scaling-timeout',
  });
  await fleet.stop();
  expect(runtimes.open.size).toBe(0);
});
