import { z } from 'zod';

/** `GET ports/open` of a node: TCP ports that its settings open to those with the right `ports:connect`. */
export const openPortsSchema = z.object({ ports: z.array(z.int().min(1).max(65_535)) });

export type OpenPorts = z.output<typeof openPortsSchema>;
