import { type Logger, messageOf } from '@gantry/kernel';
import type { Broker, Topology } from './ports.js';

/** Slower round trips mean a far broker, or a socket without TCP_NODELAY on the way. */
export const slowRoundTripMs = 10;
const samples = 5;

export type BrokerCheck =
  | { readonly kind: 'ok'; readonly roundTripMs: number; readonly isSlow: boolean }
  /** Not there yet; the connection goes on trying. */
  | { readonly kind: 'unavailable'; readonly detail: string };

/**
 * The check at start-up: declares what the process needs and measures the median round trip. An absent broker is
 * reported, not thrown: a service starts without it and says that it is not ready.
 * @throws {TopologyMismatchError} when a queue or exchange exists with other arguments; names the difference
 */
export async function checkBroker(
  broker: Broker,
  options: { topologies: readonly Topology[]; timeoutMs: number; logger: Logger },
): Promise<BrokerCheck> {
  const { topologies, timeoutMs, logger } = options;
  const giveUpAtMs = performance.now() + timeoutMs;
  for (const topology of topologies) {
    await broker.declare(topology, { timeoutMs: Math.max(0, giveUpAtMs - performance.now()) });
  }
  let roundTripMs: number;
  try {
    roundTripMs = await medianRoundTripMs(broker);
  } catch (error) {
    const detail = messageOf(error);
    logger.warn('the message broker does not answer yet', {
      op: 'broker.check',
      outcome: 'unavailable',
      detail,
    });
    return { kind: 'unavailable', detail };
  }
  const isSlow = roundTripMs > slowRoundTripMs;
  const fields = { op: 'broker.check', outcome: 'ok', round_trip_ms: Math.round(roundTripMs * 100) / 100 };
  if (isSlow)
    logger.warn(`the message broker is slow: a round trip takes more than ${slowRoundTripMs} ms`, fields);
  else logger.info('the message broker answers', fields);
  return { kind: 'ok', roundTripMs, isSlow };
}

async function medianRoundTripMs(broker: Broker): Promise<number> {
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) times.push(await broker.roundTripMs());
  return times.sort((a, b) => a - b)[Math.floor(samples / 2)] ?? 0;
}
