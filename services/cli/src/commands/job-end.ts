import { type JobsClient, type Patience, repeatTransient } from '@gantry/client';
import { isFinalJobState, type JobDetail } from '@gantry/contracts';

const pollMs = 200;
/** For the end of a program that was told to end. */
const endingMs = 30_000;
/** As long as for its output. */
const patienceMs = 150_000;

/**
 * What is known of a job whose output is complete: the state may say so a moment later.
 * @throws what asking fails with, when it does not pass · the reason of `signal`
 */
export async function untilFinal(
  jobs: JobsClient,
  id: string,
  { onWait, signal }: { readonly onWait: Patience['onWait']; readonly signal?: AbortSignal | undefined },
): Promise<JobDetail> {
  const endMs = performance.now() + endingMs;
  for (;;) {
    const job = await repeatTransient(() => jobs.show(id, { signal }), { patienceMs, onWait, signal });
    if (isFinalJobState(job.state) || performance.now() > endMs) return job;
    await new Promise((wake) => setTimeout(wake, pollMs));
    signal?.throwIfAborted();
  }
}
