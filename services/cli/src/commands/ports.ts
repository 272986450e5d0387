import { openPortsSchema } from '@gantry/contracts';
import { messageOf } from '@gantry/kernel';
import { openWebSocket } from '@gantry/tunnel';
import type { Command } from 'commander';
import type { Connection } from '../connection.js';
import { forwardPort } from '../ports/forward-port.js';
import { note, printResult, toTable, withProgress } from '../terminal.js';
import { countOf, onAction } from './action.js';
import { UsageError } from './usage-error.js';

/** `gantry ports ls|forward` */
export function addPorts(program: Command): void {
  const ports = program.command('ports').description('TCP ports of nodes that are opened to you');
  onAction(
    ports.command('ls <node>').description('List the ports that the node opens'),
    async ({ bridge, output }, [node = '']) => {
      const answer = openPortsSchema.parse(await bridge.node(node).plugin('ports').get('open'));
      const nothing = `${node} opens no ports; its settings do, for example ports.allow = [8888].`;
      const rows = answer.ports.map((port) => [port]);
      printResult(output, answer.ports, toTable(['PORT'], rows, nothing));
    },
  );
  onAction<{ listen?: string }>(
    ports
      .command('forward <node> <port>')
      .description('Reach a port of a node through one of this machine, such as a web page; Ctrl-C ends it')
      .option('--listen <port>', 'port of this machine (default: the same, or else any that is free)'),
    async (connection, [node = '', word = ''], { listen }) => {
      const port = portOf('the port of the node', word);
      const open = opener(connection, node, port);
      // So that a mistake is told now and not with the first use.
      const probe = await withProgress(`connecting to port ${port} of ${node}`, open());
      probe.destroy();
      const forwarded = await listenOn(listen, port, open);
      const view = { node, port, listening: `127.0.0.1:${forwarded.port}` };
      const text = `Port ${port} of ${node} is at http://${view.listening} (any TCP will do); Ctrl-C ends it.`;
      printResult(connection.output, view, text);
      await interrupted();
      forwarded.close();
    },
  );
}

const opener =
  ({ bridge }: Connection, node: string, port: number) =>
  async () => {
    const { headers, url } = await bridge.node(node).webSocketAt(`ports/connect/${port}`);
    return openWebSocket(url, { headers });
  };

async function listenOn(listen: string | undefined, port: number, open: ReturnType<typeof opener>) {
  const onFailure = (error: unknown) => note(`a connection was not opened: ${messageOf(error)}`);
  if (listen !== undefined) {
    const listenPort = portOf('--listen', listen);
    return await forwardPort({ listenPort, open, onFailure }).catch((error: unknown) => {
      throw new UsageError(`port ${listenPort} of this machine cannot be had: ${messageOf(error)}`);
    });
  }
  return await forwardPort({ listenPort: port, open, onFailure }).catch(() =>
    forwardPort({ listenPort: 0, open, onFailure }),
  );
}

function portOf(what: string, word: string): number {
  const port = countOf(what, word);
  if (port > 65_535) throw new UsageError(`${what} must be from 1 to 65535, not "${word}"`);
  return port;
}

const interrupted = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
