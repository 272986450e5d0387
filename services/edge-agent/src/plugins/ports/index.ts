import type { OpenPorts } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { AgentPlugin } from '../../core/ports.js';
import { type PortsConfig, portsConfigSchema } from './config.js';
import { connectPort } from './connect-port.js';

/**
 * TCP ports of the node, byte for byte through a WebSocket: a web page that runs there, a database, a debugger. Only
 * ports that the settings name, and only on 127.0.0.1.
 */
export const portsPlugin: AgentPlugin<PortsConfig> = {
  name: 'ports',
  aliases: [],
  version: '1.0.0',
  configSchema: portsConfigSchema,
  ui: { icon: '🔌', title: 'Ports', description: 'TCP ports of the node that are opened to its users.' },
  isSupported: async () => true,
  start: async (context) => {
    let { config } = context;
    return {
      routes: [
        {
          method: 'GET',
          path: '/open',
          permission: 'ports:read',
          handler: async () => ({ json: { ports: config.allow } satisfies OpenPorts }),
        },
        {
          method: 'GET',
          path: '/connect/:port',
          permission: 'ports:connect',
          isWebSocket: true,
          handler: async ({ params, signal }) => {
            const port = Number(params['port']);
            if (!config.allow.includes(port))
              throw new AppError(
                'forbidden',
                `Port ${params['port']?.slice(0, 10)} is not opened on this node; its settings name those that are, in ports.allow`,
              );
            return { socket: await connectPort(port, signal) };
          },
        },
      ],
      configure: (changed) => {
        config = changed;
      },
      health: () => ({ status: 'healthy' }),
      stop: async () => undefined,
    };
  },
};
