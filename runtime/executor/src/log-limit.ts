import { copyFileSync, fstatSync, ftruncateSync, readlinkSync } from 'node:fs';
import type { Part } from '@gantry/kernel';

const lookMs = 2000;
const standardError = 2;

/**
 * Keeps the file that standard error goes to from growing for ever: past `maxBytes` it becomes `<file>.old` and starts
 * again. The file has to be opened for appending; anything that is no file is left alone.
 */
export function logLimit(maxBytes: number, fd = standardError): Part {
  const look = () => {
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile() || stat.size <= maxBytes) return;
      const file = readlinkSync(`/proc/self/fd/${fd}`);
      copyFileSync(file, `${file}.old`);
      ftruncateSync(fd, 0);
    } catch {
      // No /proc, a full disk, a file that was removed: a log is not worth an execution.
    }
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    name: 'log limit',
    start: () => {
      look();
      timer = setInterval(look, lookMs);
    },
    stop: () => clearInterval(timer),
  };
}
