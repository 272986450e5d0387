import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { JobSpec } from '@gantry/contracts';
import { type OutputStream, outputPathOf } from './job-folder.js';

const streams: readonly OutputStream[] = ['stdout', 'stderr'];

/**
 * Makes the folders that the tasks with these indices are to write into. The directory of the job itself is never made: one that is not
 * there is a mistake to be told of.
 * @throws {Error} of the file system, also when the directory is not there
 */
export async function makeOutputFolders(
  spec: JobSpec,
  indices: readonly (number | null)[],
  folder: string,
  directory: string,
): Promise<void> {
  const asked = streams.filter((stream) => spec[`${stream}_path`] !== undefined);
  if (asked.length === 0) return;
  if (!(await stat(directory)).isDirectory()) throw new Error(`${directory} is no directory`);
  const folders = asked.flatMap((stream) =>
    indices.map((index) => dirname(outputPathOf({ spec }, folder, stream, index, directory))),
  );
  for (const path of new Set(folders)) await mkdir(path, { recursive: true });
}
