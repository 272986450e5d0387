import type { Job } from '../../job.js';
import { taskFile } from '../../job-folder.js';
import { carriageReturnLines, quoteWord } from './quote-words.js';

/**
 * The script of a job for sbatch. Options are never in it: the first line after the comment ends what sbatch looks at,
 * so no text of the caller's can be one. Its shell only puts words in place (see {@link quoteWord}), runs the program
 * and writes down how it ended, for when Slurm has forgotten. Pure.
 */
export function buildBatchScript(job: Job, folder: string): string {
  const { spec, id } = job;
  const isArray = spec.array !== undefined;
  const exports = Object.entries(spec.environment).map(
    ([name, value]) => `export ${name}=${quoteWord(value)}`,
  );
  const words = [...(spec.launcher === 'srun' ? ['srun'] : []), spec.executable, ...spec.arguments].map(
    quoteWord,
  );
  const exitFile = `${quoteWord(taskFile(folder, 'exit', null))}${isArray ? '."$2"' : ''}`;
  const lines = [
    '#!/bin/sh',
    ':',
    carriageReturnLines,
    // Kept before the variables of the caller come.
    'set -- "$1" "$SLURM_ARRAY_TASK_ID"',
    // Says what Slurm calls it, for when the answer of sbatch was lost and Slurm has forgotten the job meanwhile.
    `{ printf '%s\\n' "\${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}" >${quoteWord(taskFile(folder, 'native', null))}; } 2>/dev/null`,
    `{ printf '' >${exitFile}; } 2>/dev/null`,
    // Slurm goes on in the temporary folder when there is no such one; the caller would not want that.
    ...(spec.directory === undefined ? [] : [`cd ${quoteWord(spec.directory)} || exit 126`]),
    // Stays to write down the end of the program, which gets the signals too.
    'trap : HUP INT QUIT TERM USR1 USR2 ALRM XCPU',
    ...exports,
    `export GANTRY_JOB_ID=${quoteWord(id)}`,
    ...(isArray ? ['export GANTRY_ARRAY_INDEX="$2"'] : []),
    `( exec ${words.join(' ')} )`,
    'set -- "$?" "$2"',
    `{ printf '%s\\n' "$1" >${exitFile}; } 2>/dev/null`,
    'exit "$1"',
    '',
  ];
  return lines.join('\n');
}
