/** Loaded before a program (`NODE_OPTIONS=--import=…`): SIGUSR2 collects its garbage, and a line on stderr says so. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
process.on('SIGUSR2', () => {
  collectGarbage();
  process.stderr.write('garbage collected\n');
});
