import type { BridgeClient } from '@gantry/client';
import { UsageError } from './usage-error.js';

/** Nodes beyond this number are not looked through for a default. */
const maxLookedAt = 1000;

/** The node that was named, or the only connected one with the plugin. @throws {UsageError} */
export async function chooseNode(
  bridge: BridgeClient,
  named: string | undefined,
  plugin: string,
): Promise<string> {
  if (named !== undefined) return named;
  const fitting = (await bridge.nodes.list({ limit: 200 }).toArray(maxLookedAt)).filter(
    ({ state, plugins }) =>
      state === 'connected' && plugins.some((one) => one.name === plugin && one.state === 'running'),
  );
  const [only, other] = fitting;
  if (only === undefined)
    throw new UsageError(`no connected node has the plugin ${plugin}; see "gantry nodes ls"`);
  if (other !== undefined) {
    const names = fitting.slice(0, 10).map(({ name }) => name);
    throw new UsageError(`name one of the nodes with --node: ${names.join(', ')}`);
  }
  return only.name;
}
