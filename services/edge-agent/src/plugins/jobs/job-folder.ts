/** Where the files of a job lie. */
import { isAbsolute, join } from 'node:path';
import type { Job } from './job.js';

export type OutputStream = 'stdout' | 'stderr';

/** The folder of one job inside the folder of all jobs. */
export const folderOf = (jobsFolder: string, jobId: string): string => join(jobsFolder, jobId);

/** `exit` of a job, `exit.7` of element 7 of an array. */
export const taskFile = (folder: string, name: string, index: number | null): string =>
  join(folder, index === null ? name : `${name}.${index}`);

/** Where a task writes; `directory` is where relative paths begin. */
export function outputPathOf(
  job: Pick<Job, 'spec'>,
  folder: string,
  stream: OutputStream,
  index: number | null,
  directory: string,
): string {
  const asked = job.spec[`${stream}_path`];
  if (asked === undefined) return taskFile(folder, stream, index);
  const path = index === null ? asked : asked.replaceAll('{index}', String(index));
  return isAbsolute(path) ? path : join(directory, path);
}
