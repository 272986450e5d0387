import { z } from 'zod';
import { defaultGpuTools } from './gpu/gpu-tools.js';

export const sysinfoConfigSchema = z.strictObject({
  /** Between two samples, which are also the pushed vitals. */
  intervalSeconds: z.number().int().min(1).max(3600).default(10),
  /** How far the history reaches back. */
  historySeconds: z.number().int().min(10).max(86_400).default(3600),
  /** Programs that know the graphics cards; empty: not asked. NVIDIA_SMI_PATH and ROCM_SMI_PATH stand for the defaults. */
  nvidiaSmiPath: z.string().max(4096).default(defaultGpuTools.nvidiaSmiPath),
  rocmSmiPath: z.string().max(4096).default(defaultGpuTools.rocmSmiPath),
  xpuSmiPath: z.string().max(4096).default(defaultGpuTools.xpuSmiPath),
});
export type SysinfoConfig = z.infer<typeof sysinfoConfigSchema>;
