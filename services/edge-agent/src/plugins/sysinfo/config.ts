import { z } from 'zod';

export const sysinfoConfigSchema = z.strictObject({
  /** Between two samples, which are also the pushed vitals. */
  intervalSeconds: z.number().int().min(1).max(3600).default(10),
  /** How far the history reaches back. */
  historySeconds: z.number().int().min(10).max(86_400).default(3600),
  /** Programs that know the graphics cards; empty: not asked. */
  nvidiaSmiPath: z.string().max(4096).default('nvidia-smi'),
  rocmSmiPath: z.string().max(4096).default('rocm-smi'),
  xpuSmiPath: z.string().max(4096).default('xpu-smi'),
});
export type SysinfoConfig = z.infer<typeof sysinfoConfigSchema>;
