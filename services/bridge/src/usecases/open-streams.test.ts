import type { NodeGrant, Principal } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { EdgeNode } from '@gantry/store';
import { afterEach, describe, expect, it } from '@jest/globals';
import { OpenStreams } from './open-streams.js';
import { resolveRights } from './resolve-rights.js';

const bob: Principal = { user: 'bob', org: undefined, role: 'user' };
const grant = (...rights: string[]): NodeGrant[] => [{ user: 'bob', rights }];

let streams: OpenStreams | undefined;
afterEach(async () => streams?.stop());

/** One stream of bob's to the plugin jobs, and what a test changes of it. */
function open(grants: NodeGrant[]) {
  const world = { grants, isInForce: true, failure: undefined as AppError | undefined, isEnded: false };
  const record = () => ({ owner: 'olga', grants: world.grants }) as unknown as EdgeNode;
  const find = async () => {
    if (world.failure !== undefined) throw world.failure;
    return record();
  };
  streams = new OpenStreams({ find }, 5);
  const leave = streams.watch({
    caller: { principal: bob, isInForce: async () => world.isInForce },
    ...{ node: 'n1', plugin: 'jobs', rights: resolveRights(bob, record()) },
    end: () => {
      world.isEnded = true;
    },
  });
  return { world, streams, leave };
}
async function ended(world: { readonly isEnded: boolean }): Promise<void> {
  while (!world.isEnded) await new Promise((wake) => setTimeout(wake, 2));
}

describe('OpenStreams', () => {
  it.each<[string, NodeGrant[]]>([
    ['is no longer shared', []],
    ['is shared with less', grant('jobs:submit')],
  ])('ends a stream when the node %s', async (_what, after) => {
    const { streams, world } = open(grant('jobs:read', 'jobs:submit'));
    await streams.checkNode('n1');
    expect(world.isEnded).toBe(false);
    world.grants = after;
    await streams.checkNode('another');
    expect(world.isEnded).toBe(false);
    await streams.checkNode('n1');
    expect(world.isEnded).toBe(true);
    expect(streams.size).toBe(0);
  });

  it('looks by itself, also at the token', async () => {
    const { streams, world } = open(grant('jobs:read'));
    streams.start();
    world.isInForce = false;
    await ended(world);
    expect(streams.size).toBe(0);
  });

  it('ends one of a node that is gone', async () => {
    const { streams, world } = open(grant('jobs:read'));
    world.failure = new AppError('node-not-found');
    await streams.checkNode('n1');
    expect(world.isEnded).toBe(true);
  });

  it.each<[string, NodeGrant[]]>([
    ['more', grant('jobs:*')],
    ['everything', grant('*')],
    ['less of another plugin', grant('jobs:read', 'jobs:submit')],
  ])('leaves a stream alone when the node is shared with %s', async (_what, after) => {
    const { streams, world } = open(grant('jobs:read', 'jobs:submit', 'files:read'));
    world.grants = after;
    await streams.checkNode('n1');
    expect(world.isEnded).toBe(false);
  });

  it('leaves streams alone that it cannot look at, and those that have ended', async () => {
    const { leave, streams, world } = open(grant('jobs:read'));
    world.failure = new AppError('store-unavailable');
    await streams.checkNode('n1');
    expect(world.isEnded).toBe(false);
    leave();
    world.isInForce = false;
    await streams.checkNode('n1');
    expect(world.isEnded).toBe(false);
  });
});
