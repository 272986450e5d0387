import type { ClusterReport } from '@gantry/contracts';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { movableClock, startCloud, type TestCloud } from '../cloud.fixture.js';
import { keepEnrolment } from './keep-enrolment.js';

jest.setTimeout(30_000);

const report: ClusterReport = { url: 'http://edge:1339', flavours: [], is_confidential: false, capacity: 1 };

describe('the enrolment of a cluster that starts again', () => {
  let clock: ReturnType<typeof movableClock>;
  let cloud: TestCloud;
  beforeEach(async () => {
    clock = movableClock();
    cloud = await startCloud({ clock });
  });
  afterEach(() => cloud.stop());
  const keep = (token?: string) =>
    keepEnrolment({ clusters: cloud.store.clusters, clock, silenceMs: 30_000 }, 'local', token);
  const send = (token: string) => cloud.cloud.link.reportCluster('local', token, report);

  it('is kept, however live the cluster is', async () => {
    const token = await keep();
    await send(token);
    expect(await keep(token)).toBe(token);
    await send(token);
  });

  it('is made anew when the cluster was removed, or the token replaced by an administrator', async () => {
    const token = await keep();
    await cloud.store.clusters.remove('local');
    const second = await keep(token);
    expect(second).not.toBe(token);
    await send(second);
    await cloud.cloud.link.enrolCluster('local');
    clock.advance(30_001);
    const third = await keep(second);
    await expect(send(second)).rejects.toMatchObject({ code: 'invalid-service-credential' });
    await send(third);
  });

  it('is refused while another cluster of the name is live, which goes on; and given once that is silent', async () => {
    const other = await keep();
    await send(other);
    clock.advance(29_000);
    for (const kept of [undefined, 'a token of another store'])
      await expect(keep(kept)).rejects.toThrow(
        /Another cluster named "local" uses this store: it reported 29 s ago from http:\/\/edge:1339\..*GANTRY_CLUSTER_NAME.*30 s later/,
      );
    await send(other);
    clock.advance(30_001);
    await send(await keep());
  });

  it('is given when the name was enrolled and never reported', async () => {
    await cloud.cloud.link.enrolCluster('local');
    await send(await keep());
  });
});
