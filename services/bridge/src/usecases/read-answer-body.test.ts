import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { readAnswerBody } from './read-answer-body.js';

const bounds = { maxBytes: 1000, timeoutMs: 60_000 };

describe('readAnswerBody', () => {
  it('answers a body that ends, up to its bound', async () => {
    const body = new PassThrough();
    body.write(Buffer.alloc(600));
    body.end(Buffer.alloc(400));
    expect((await readAnswerBody(body, bounds)).length).toBe(1000);
  });

  it('stops an endless body at its bound, and does not read on', async () => {
    const body = new PassThrough();
    const read = readAnswerBody(body, bounds);
    let written = 0;
    const write = () => {
      while (!body.destroyed && written < 10_000_000) {
        written += 100;
        if (!body.write(Buffer.alloc(100))) return void body.once('drain', write);
      }
    };
    write();
    await expect(read).rejects.toMatchObject({ code: 'node-failed' });
    expect(body.destroyed).toBe(true);
    expect(written).toBeLessThan(1_000_000);
  });

  it('stops a body that trickles', async () => {
    const body = new PassThrough();
    body.write('x');
    await expect(readAnswerBody(body, { ...bounds, timeoutMs: 20 })).rejects.toMatchObject({
      code: 'node-timeout',
    });
    expect(body.destroyed).toBe(true);
  });

  it('says that a body broke off', async () => {
    const body = new PassThrough();
    const read = readAnswerBody(body, bounds);
    body.destroy(new Error('gone'));
    await expect(read).rejects.toMatchObject({ code: 'node-failed' });
    await expect(readAnswerBody(body, bounds)).rejects.toMatchObject({ code: 'node-failed' });
  });
});
