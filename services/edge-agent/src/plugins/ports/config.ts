import { z } from 'zod';

export const portsConfigSchema = z
  .strictObject({
    allow: z
      .array(z.int().min(1).max(65_535))
      .max(64)
      .default([])
      .describe(
        'TCP ports of this machine, on 127.0.0.1, that callers with the right ports:connect may reach',
      ),
  })
  .readonly();

export type PortsConfig = z.output<typeof portsConfigSchema>;
