import { AppError } from '@gantry/kernel';
import type { EdgeNode, LeaseHolder } from '@gantry/store';

/** A bridge says every 20 seconds that its nodes are there; one that missed three times is taken for gone. */
const staleMs = 60_000;

/** Which other bridge of this store the node is connected to, as far as that has said so lately. */
export function holderElsewhere(
  { heldBy, isRevoked, lastSeenMs }: Pick<EdgeNode, 'heldBy' | 'isRevoked' | 'lastSeenMs'>,
  bridgeId: string,
  nowMs: number,
): LeaseHolder | undefined {
  if (heldBy === undefined || isRevoked || heldBy.bridgeId === bridgeId) return undefined;
  return lastSeenMs !== undefined && nowMs - lastSeenMs < staleMs ? heldBy : undefined;
}

/** What a caller is told of a node that is not connected here: where it is, as far as that is known. */
export function unreachableHere(node: EdgeNode, bridgeId: string, nowMs: number): AppError {
  const elsewhere = holderElsewhere(node, bridgeId, nowMs);
  if (elsewhere === undefined) return new AppError('node-unreachable', `${node.name} is not connected`);
  if (elsewhere.url === null)
    return new AppError(
      'node-elsewhere',
      `${node.name} is connected to another bridge, whose public URL is not set there`,
    );
  return new AppError('node-elsewhere', `${node.name} is connected to the bridge ${elsewhere.url}`, {
    headers: { 'gantry-bridge': elsewhere.url },
  });
}
