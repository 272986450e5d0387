import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Part } from '@gantry/kernel';
import type { Runtime } from './runtime.js';

const lookMs = 100;

/**
 * Keeps a file that says whether a runtime takes executions, for whoever started its process: JSON with `runtime_id`,
 * `phase`, `not_ready` (a text, or null) and `running`. Replaced whole at every change, removed at the end. It stands before the runtime among the parts, so that it also says how that
 * drains.
 */
export function statusFile(path: string, runtime: Runtime): Part {
  let written = '';
  const write = () => {
    const status = {
      runtime_id: runtime.runtimeId,
      phase: runtime.phase,
      not_ready: runtime.notReady() ?? null,
      running: runtime.running,
    };
    const text = JSON.stringify(status);
    if (text === written) return;
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
    written = text;
  };
  const tryToWrite = () => {
    try {
      write();
    } catch {
      // A full disk or a folder that was removed: executions go on, and the next look tries again.
    }
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    name: 'status file',
    start: () => {
      write();
      timer = setInterval(tryToWrite, lookMs);
    },
    stop: () => {
      clearInterval(timer);
      rmSync(path, { force: true });
    },
  };
}
