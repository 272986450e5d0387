import type { Duplex } from 'node:stream';

/**
 * Joins two byte streams both ways, until both have ended; one that breaks off takes the other with it. One listener a
 * side and event: two `pipeline`s on one stream add so many that Node warns of a leak.
 */
export function splice(one: Duplex, other: Duplex): void {
  const breakOff = (error: Error) => {
    one.destroy(error);
    other.destroy(error);
  };
  for (const side of [one, other]) {
    side.on('error', breakOff);
    side.once('close', () => {
      if (!side.readableEnded || !side.writableFinished) breakOff(new Error('the connection broke off'));
    });
  }
  one.pipe(other);
  other.pipe(one);
}
