import { AppError } from '@gantry/kernel';
import type { Found } from '@gantry/store';
import { describe, expect, it } from '@jest/globals';
import type { DocumentReader } from '../ports.js';
import { DocumentCache } from './document-cache.js';

interface Doc {
  readonly owner: string;
  readonly text: string;
}
const as = (user: string, role: 'user' | 'administrator' = 'user'): DocumentReader => ({
  principal: { user, org: undefined, role },
  token: 't',
});

function setUp() {
  const cloud = {
    reads: 0,
    isDown: false as boolean,
    found: { kind: 'found', document: { owner: 'ada', text: 'a' } } as Found<Doc>,
  };
  const time = { ms: 0 };
  const cache = new DocumentCache<Doc>({
    kind: 'document',
    read: async (_id, { principal }) => {
      cloud.reads += 1;
      if (cloud.isDown) throw new AppError('cloud-unavailable');
      const isHidden = cloud.found.kind === 'found' && cloud.found.document.owner !== principal.user;
      return isHidden && principal.role === 'user' ? { kind: 'missing' } : cloud.found;
    },
    ownerOf: (document) => document.owner,
    clock: { now: () => 0, monotonicMs: () => time.ms },
    staleMs: 60_000,
  });
  return { cache, cloud, time };
}

describe('the cache of documents', () => {
  it('asks once for many calls at once, and not at all for the next', async () => {
    const { cache, cloud } = setUp();
    await Promise.all([cache.find(1, as('ada')), cache.find(1, as('ada'))]);
    expect(cloud.reads).toBe(1);
    expect(cache.find(1, as('ada'))).toMatchObject({ text: 'a' });
    expect(cloud.reads).toBe(1);
  });

  it('checks whose it is on every call, and lets administrators in', async () => {
    const { cache, cloud } = setUp();
    await cache.find(1, as('ada'));
    expect(() => cache.find(1, as('bob'))).toThrow(expect.objectContaining({ code: 'document-not-found' }));
    expect(cloud.reads).toBe(1);
    expect(cache.find(1, as('root', 'administrator'))).toMatchObject({ text: 'a' });
  });

  it('does not give a stranger’s answer to the owner who asks at the same time', async () => {
    const { cache } = setUp();
    const [stranger, owner] = await Promise.allSettled([cache.find(1, as('bob')), cache.find(1, as('ada'))]);
    expect(stranger).toMatchObject({ status: 'rejected', reason: { code: 'document-not-found' } });
    expect(owner).toMatchObject({ status: 'fulfilled', value: { text: 'a' } });
  });

  it('does not remember what was missing or of another type', async () => {
    const { cache, cloud } = setUp();
    for (const kind of ['missing', 'wrong-type'] as const) {
      cloud.found = { kind };
      await expect(cache.find(1, as('ada'))).rejects.toMatchObject({ code: 'document-not-found' });
    }
    cloud.found = { kind: 'found', document: { owner: 'ada', text: 'new' } };
    expect(await cache.find(1, as('ada'))).toMatchObject({ text: 'new' });
  });

  it('renews behind a call from 2.5 seconds on, and before a call from 5 on', async () => {
    const { cache, cloud, time } = setUp();
    await cache.find(1, as('ada'));
    cloud.found = { kind: 'found', document: { owner: 'ada', text: 'b' } };
    time.ms = 3000;
    expect(cache.find(1, as('ada'))).toMatchObject({ text: 'a' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(cache.find(1, as('ada'))).toMatchObject({ text: 'b' });
    cloud.found = { kind: 'missing' };
    time.ms = 8001;
    await expect(cache.find(1, as('ada'))).rejects.toMatchObject({ code: 'document-not-found' });
  });

  it('serves what it knows while the cloud is down, for as long as allowed', async () => {
    const { cache, cloud, time } = setUp();
    await cache.find(1, as('ada'));
    cloud.isDown = true;
    time.ms = 10_000;
    expect(await cache.find(1, as('ada'))).toMatchObject({ text: 'a' });
    time.ms = 59_999;
    expect(await cache.find(1, as('ada'))).toMatchObject({ text: 'a' });
    time.ms = 60_000;
    await expect(cache.find(1, as('ada'))).rejects.toMatchObject({ code: 'cloud-unavailable' });
    await expect(cache.find(2, as('ada'))).rejects.toMatchObject({ code: 'cloud-unavailable' });
  });
});
