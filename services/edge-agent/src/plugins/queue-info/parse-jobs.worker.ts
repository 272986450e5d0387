import type { QueuedJob } from '@gantry/contracts';
import { parseJobsJson } from '../../slurm/formats/jobs.js';

/** Reads the queue of a large site, which takes seconds, where nobody waits for it. */
export const run = ({ text, nowSeconds }: { text: string; nowSeconds: number }): readonly QueuedJob[] =>
  parseJobsJson(JSON.parse(text), nowSeconds);
