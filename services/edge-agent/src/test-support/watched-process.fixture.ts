/** `node … MODE`: a watched process that blocks for good, or is busy and gives way now and then. */
import { Watchdog } from '../core/watchdog.js';

const spin = (ms: number) => {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
};

const watchdog = new Watchdog({ tickMs: 20, maxMissed: 150 });
watchdog.start();
// The watcher is up when the first ticks were counted.
setTimeout(() => {
  if (process.argv[2] === 'blocked') spin(Number.POSITIVE_INFINITY);
  let rounds = 0;
  const turn = () => {
    spin(100);
    rounds += 1;
    // Longer altogether than a block may be.
    if (rounds < 40) setTimeout(turn, 30);
    else void watchdog.stop();
  };
  turn();
}, 200);
