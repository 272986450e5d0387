import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { startEchoService } from './echo-service.fixture.js';
import { createHttpServer } from './server.js';

async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString();
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('the server', () => {
  it('answers headers above 32 KiB with 431, and takes a token of 16 KiB', async () => {
    const service = await startEchoService();
    try {
      const long = (sizeBytes: number) =>
        exchange(
          service.port,
          `POST /v1/notes/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntoken: ${'t'.repeat(sizeBytes)}\r\ncontent-length: 15\r\n\r\n{"text":"hall"}`,
        );
      expect(await long(16 * 1024)).toMatch(/^HTTP\/1\.1 200 /);
      const refused = await long(40 * 1024);
      expect(refused).toMatch(
        /^HTTP\/1\.1 431 Request Header Fields Too Large\r\ncontent-type: application\/problem\+json/,
      );
      expect(JSON.parse(refused.slice(refused.indexOf('\r\n\r\n')))).toMatchObject({
        code: 'header-too-large',
        status: 431,
      });
    } finally {
      await service.stop();
    }
  });

  it('answers what is not HTTP with 400', async () => {
    const service = await startEchoService();
    try {
      const answer = await exchange(service.port, 'hello\r\n\r\n');
      expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request/);
      expect(answer).toContain('"code":"malformed-request"');
    } finally {
      await service.stop();
    }
  });

  it('says which setting changes a port that is in use', async () => {
    const service = await startEchoService();
    try {
      const second = createHttpServer(
        { name: 'edge frontend', host: '127.0.0.1', port: service.port, portSetting: 'GANTRY_EDGE_PORT' },
        () => undefined,
      );
      await expect(second.start?.()).rejects.toThrow(
        `edge frontend: port ${service.port} on 127.0.0.1 is in use. Stop what listens there, or set GANTRY_EDGE_PORT to another port (0 takes any free one).`,
      );
      await second.stop?.();
    } finally {
      await service.stop();
    }
  });

  it('lets running requests end when it stops, and refuses new connections', async () => {
    const service = await startEchoService({ graceMs: 5000 });
    const running = fetch(`${service.url}/v1/wait`);
    while (service.waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const stopped = service.stop();
    await expect(fetch(`${service.url}/livez`)).rejects.toThrow();
    service.waiting[0]?.release();
    expect(await (await running).json()).toBe('released');
    await stopped;
  });

  it('closes what still runs after its grace', async () => {
    const service = await startEchoService({ graceMs: 50 });
    const outcome = fetch(`${service.url}/v1/wait`).then(
      () => 'answered',
      () => 'closed',
    );
    while (service.waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await service.stop();
    expect(await outcome).toBe('closed');
  });

  it('writes an IPv6 host in brackets', () => {
    const options = { name: 'x', host: '::1', port: 80, portSetting: 'X' };
    expect(createHttpServer(options, () => undefined).url).toBe('http://[::1]:80');
  });
});
