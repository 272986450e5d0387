import type { GpuTools } from './read-gpus.js';

export const defaultGpuTools: GpuTools = {
  nvidiaSmiPath: 'nvidia-smi',
  rocmSmiPath: 'rocm-smi',
  xpuSmiPath: 'xpu-smi',
};

/** Where the settings say nothing of their own, the variables count that the older edge services know. Pure. */
export function gpuToolsOf(settings: GpuTools, read: (name: string) => string | undefined): GpuTools {
  const choose = (tool: keyof GpuTools, variable: string) =>
    (settings[tool] === defaultGpuTools[tool] ? read(variable) : undefined) ?? settings[tool];
  return {
    nvidiaSmiPath: choose('nvidiaSmiPath', 'NVIDIA_SMI_PATH'),
    rocmSmiPath: choose('rocmSmiPath', 'ROCM_SMI_PATH'),
    xpuSmiPath: settings.xpuSmiPath,
  };
}
