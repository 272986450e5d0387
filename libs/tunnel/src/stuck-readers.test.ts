/** A reader that does not read holds its own window, and nobody else's time. */
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { closePairs, openPair, until } from './pair.fixture.js';

afterEach(closePairs);

const stuck = 200;
const windowBytes = 256 * 1024;
const mib = 1024 * 1024;

describe('200 stuck readers', () => {
  it('of answers leave a small request its answer, and the node stops writing at the window of each', async () => {
    let written = 0;
    const { tunnel } = await openPair({
      limits: { streamWindowBytes: windowBytes },
      handler: (request, response) => {
        if (request.url === '/small') {
          response.end('small');
          return;
        }
        const piece = Buffer.alloc(16 * 1024);
        const write = () => {
          // As much as it is let; far more than the window in the end.
          for (;;) {
            written += piece.length;
            if (!response.write(piece)) break;
          }
          response.once('drain', write);
        };
        write();
      },
    });
    const answers = await Promise.all(
      Array.from({ length: stuck }, () => tunnel.request({ method: 'GET', path: '/bulk' })),
    );
    let before = -1;
    // All have filled their windows when a round trip later nothing more was written.
    await until(() => written >= stuck * windowBytes, 'the windows are full');
    while (before !== written) {
      before = written;
      await tunnel.ping();
    }
    expect(tunnel.openStreams).toBe(stuck);
    const answer = await tunnel.request({ method: 'GET', path: '/small' });
    expect(await text(answer.body)).toBe('small');
    // Not one byte moved for the others meanwhile.
    expect(written).toBe(before);
    expect(written).toBeLessThan(stuck * (windowBytes + 256 * 1024));
    for (const { body } of answers) body.destroy();
    await until(() => tunnel.openStreams === 0, 'all are cancelled');
    expect(await text((await tunnel.request({ method: 'GET', path: '/small' })).body)).toBe('small');
  });

  it('of bodies, on the side of the node, leave a small request its answer', async () => {
    const { tunnel } = await openPair({
      limits: { streamWindowBytes: windowBytes },
      handler: (request, response) => {
        // The others are answered, and never read.
        if (request.url === '/small') response.end('small');
        else response.write('begun');
      },
    });
    const bodies = await Promise.all(
      Array.from({ length: stuck }, () =>
        tunnel.request({ method: 'POST', path: '/bulk', body: Buffer.alloc(mib) }),
      ),
    );
    const answer = await tunnel.request({ method: 'GET', path: '/small' });
    expect(await text(answer.body)).toBe('small');
    expect(tunnel.openStreams).toBe(stuck);
    for (const { body } of bodies) body.destroy();
  });

  it('above what one connection may have open are refused, and still delay nobody', async () => {
    const { tunnel } = await openPair({
      limits: { maxConcurrentStreams: stuck + 1, streamWindowBytes: windowBytes },
      handler: (request, response) => {
        if (request.url === '/small') response.end('small');
        else response.write(Buffer.alloc(mib));
      },
    });
    await Promise.all(Array.from({ length: stuck }, () => tunnel.request({ method: 'GET', path: '/bulk' })));
    const answer = await tunnel.request({ method: 'GET', path: '/small' });
    expect(await text(answer.body)).toBe('small');
  });
});

describe('64 answers of 1 MB at once', () => {
  it('all come through: the memory limits of http2 are above what the windows allow', async () => {
    const { tunnel } = await openPair({
      handler: (_request, response) => void response.end(Buffer.alloc(mib, 'x')),
    });
    const sizes = await Promise.all(
      Array.from({ length: 64 }, async () => {
        const answer = await tunnel.request({ method: 'GET', path: '/' });
        return (await text(answer.body)).length;
      }),
    );
    expect(sizes).toEqual(Array.from({ length: 64 }, () => mib));
  });
});
