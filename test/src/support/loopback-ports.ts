import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

const lowest = 10_240;
const attempts = 200;

/**
 * Free loopback ports for servers that are told their port and come back to it after a restart. They lie below the
 * range from which the kernel takes the near end of outgoing connections, so nothing takes them by chance meanwhile.
 */
export async function choosePorts(count: number): Promise<number[]> {
  const highest = lowestEphemeralPort();
  const held: { port: number; server: Server }[] = [];
  try {
    for (let attempt = 0; held.length < count; attempt += 1) {
      if (attempt >= attempts) throw new Error(`no ${count} free ports between ${lowest} and ${highest}`);
      const port = lowest + Math.floor(Math.random() * (highest - lowest));
      const server = await listenOn(port);
      if (server !== undefined) held.push({ port, server });
    }
    return held.map(({ port }) => port);
  } finally {
    await Promise.all(held.map(({ server }) => new Promise((resolve) => server.close(resolve))));
  }
}

function listenOn(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function lowestEphemeralPort(): number {
  const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/);
  return Math.max(Number(first), lowest + 1000);
}
