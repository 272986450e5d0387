import { execFile } from 'node:child_process';
import type { GpuMetrics } from '@gantry/contracts';
import {
  parseXpuDevice,
  parseXpuDiscovery,
  readIntelFromSysfs,
  xpuDeviceArguments,
  xpuDiscoveryArguments,
  xpuStatsArguments,
} from './intel.js';
import { nvidiaArguments, parseNvidia } from './nvidia.js';
import { parseRocm, rocmArguments } from './rocm.js';

export interface GpuTools {
  readonly nvidiaSmiPath: string;
  readonly rocmSmiPath: string;
  readonly xpuSmiPath: string;
}

const toolTimeoutMs = 10_000;
const maxOutputBytes = 4 * 1024 * 1024;

/** All cards of the machine. A tool that is not there, fails or hangs means no cards of its kind. */
export async function readGpus(tools: GpuTools, sysRoot = '/sys'): Promise<readonly GpuMetrics[]> {
  const [nvidia, amd, intel] = await Promise.all([
    runTool(tools.nvidiaSmiPath, nvidiaArguments).then((output) => parseNvidia(output ?? '')),
    runTool(tools.rocmSmiPath, rocmArguments).then((output) => parseRocm(output ?? '')),
    readIntel(tools.xpuSmiPath, sysRoot),
  ]);
  return [...nvidia, ...amd, ...intel];
}

async function readIntel(xpuSmi: string, sysRoot: string): Promise<readonly GpuMetrics[]> {
  const discovery = await runTool(xpuSmi, xpuDiscoveryArguments);
  const ids = parseXpuDiscovery(discovery ?? '');
  if (ids.length === 0) return readIntelFromSysfs(sysRoot);
  return Promise.all(
    ids.map(async (id) => {
      const device = await runTool(xpuSmi, xpuDeviceArguments(id));
      const stats = await runTool(xpuSmi, xpuStatsArguments(id));
      return parseXpuDevice(id, device ?? '', stats ?? '');
    }),
  );
}

/** The standard output, or undefined when the tool could not be run to a good end. */
function runTool(program: string, args: readonly string[]): Promise<string | undefined> {
  if (program === '') return Promise.resolve(undefined);
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { timeout: toolTimeoutMs, killSignal: 'SIGKILL', maxBuffer: maxOutputBytes, windowsHide: true },
      (error, stdout) => resolve(error === null ? stdout : undefined),
    );
  });
}
