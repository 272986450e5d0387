import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gpuMetricsSchema } from '@gantry/contracts';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultGpuTools, gpuToolsOf } from './gpu-tools.js';
import { parseXpuDevice, parseXpuDiscovery, readIntelFromSysfs } from './intel.js';
import { parseNvidia } from './nvidia.js';
import { readGpus } from './read-gpus.js';
import { parseRocm } from './rocm.js';

const fixturePath = (name: string): string =>
  fileURLToPath(new URL(`../../../../src/plugins/sysinfo/gpu/fixtures/${name}`, import.meta.url));
const fixture = (name: string): string => readFileSync(fixturePath(name), 'utf8');

describe('nvidia-smi', () => {
  it('is read card by card', () => {
    const cards = parseNvidia(fixture('nvidia-smi-a100.csv'));
    expect(cards).toHaveLength(2);
    expect(cards[0]).toEqual({
      id: '0',
      index: 0,
      name: 'NVIDIA A100-SXM4-40GB',
      driver_version: '535.104.05',
      uuid: 'GPU-4cf8db2d-06c0-7d70-1a51-e59b25b2c16c',
      vendor: 'NVIDIA',
      util_gpu: 37,
      util_mem: 12,
      mem_total: 40960,
      mem_used: 15230,
      mem_free: 25301,
      temperature_c: 41,
      power_w: 167.12,
    });
  });

  it('may not know a value, and a name may hold a comma', () => {
    expect(parseNvidia(fixture('nvidia-smi-partial.csv'))).toMatchObject([
      { util_gpu: null, util_mem: null, mem_total: 81559 },
      { power_w: null, name: 'NVIDIA GeForce RTX 2070, with Max-Q Design' },
    ]);
  });

  it.each(['nvidia-smi-failed.txt', 'rocm-smi-6.json'])('finds no cards in other texts: %s', (name) => {
    expect(parseNvidia(fixture(name))).toEqual([]);
  });
});

describe('rocm-smi', () => {
  it('is read card by card', () => {
    const cards = parseRocm(fixture('rocm-smi-6.json'));
    expect(cards).toMatchObject([
      {
        id: 'card0',
        index: 0,
        name: 'AMD Instinct MI250X',
        vendor: 'AMD',
        driver_version: '6.7.0',
        uuid: '0x1f3a5c7e9b2d4f60',
        util_gpu: 17,
        util_mem: 3,
        mem_total: 65520,
        mem_used: 1966,
        temperature_c: 41,
        power_w: 92,
      },
      { id: 'card1', temperature_c: 46, power_w: null },
    ]);
    for (const card of cards) gpuMetricsSchema.parse(card);
  });

  it('is read with warnings around it, and with the keys of older releases', () => {
    expect(parseRocm(fixture('rocm-smi-4-with-warnings.txt'))).toMatchObject([
      { name: 'Radeon RX 6800 XT', driver_version: '5.13.0', util_gpu: 99, util_mem: 54, power_w: null },
    ]);
  });

  it.each(['', 'no json', '{"card0": ', '[]', '{"card0": 7, "cardX": {}}'])('is not believed: %s', (text) => {
    for (const card of parseRocm(text)) gpuMetricsSchema.parse(card);
  });
});

describe('xpu-smi', () => {
  it('names the physical devices only', () => {
    expect(parseXpuDiscovery(fixture('xpu-smi-discovery.json'))).toEqual([0, 2]);
    expect(parseXpuDiscovery('{"error": "none"}')).toEqual([]);
  });

  it('is read with the values of the tiles where the device has none', () => {
    const card = parseXpuDevice(0, fixture('xpu-smi-device-0.json'), fixture('xpu-smi-stats-0.json'));
    expect(card).toEqual({
      id: '0',
      index: 0,
      name: 'Intel(R) Data Center GPU Max 1550',
      driver_version: 'I915_23.10.32_PSB_231129.32',
      uuid: '00000000-0000-0000-8086-0bd500000018',
      vendor: 'Intel',
      util_gpu: 30,
      util_mem: 1.5,
      mem_total: 131072,
      mem_used: 1501,
      mem_free: 129571,
      temperature_c: 45.5,
      power_w: 233.51,
    });
    gpuMetricsSchema.parse(parseXpuDevice(3, '', 'broken'));
  });
});

describe('on a machine', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-gpu-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function tool(name: string, script: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
    return path;
  }

  async function drmCard(name: string, vendor: string): Promise<void> {
    const card = join(folder, 'class/drm', name);
    await mkdir(join(card, 'device/hwmon/hwmon3'), { recursive: true });
    await mkdir(join(folder, 'bus/pci/drivers/i915'), { recursive: true });
    await symlink(join(folder, 'bus/pci/drivers/i915'), join(card, 'device/driver'));
    await writeFile(join(card, 'device/vendor'), `${vendor}\n`);
    await writeFile(join(card, 'device/device'), '0x56c0\n');
    await writeFile(join(card, 'device/hwmon/hwmon3/temp1_input'), '51000\n');
    await writeFile(join(card, 'lmem_total_bytes'), `${16 * 1024 ** 3}\n`);
    await writeFile(join(card, 'lmem_avail_bytes'), `${12 * 1024 ** 3}\n`);
  }

  it('Intel cards are found in sysfs, and those of others are left to their own tools', async () => {
    await drmCard('card0', '0x8086');
    await drmCard('card1', '0x10de');
    await mkdir(join(folder, 'class/drm/card0-HDMI-A-1'));
    expect(await readIntelFromSysfs(folder)).toEqual([
      {
        id: 'card0',
        index: 0,
        name: 'Intel GPU 0x56c0',
        driver_version: 'i915',
        uuid: '',
        vendor: 'Intel',
        util_gpu: null,
        util_mem: 25,
        mem_total: 16384,
        mem_used: 4096,
        mem_free: 12288,
        temperature_c: 51,
        power_w: null,
      },
    ]);
  });

  it('all kinds are read together; a tool that fails or is missing takes nothing from the others', async () => {
    await drmCard('card0', '0x8086');
    const nvidia = await tool('nvidia-smi', `cat ${fixturePath('nvidia-smi-a100.csv')}`);
    const broken = await tool('rocm-smi', `cat ${fixturePath('rocm-smi-6.json')}; exit 1`);
    const tools = { nvidiaSmiPath: nvidia, rocmSmiPath: broken, xpuSmiPath: join(folder, 'not-there') };
    const cards = await readGpus(tools, folder);
    expect(cards.map(({ vendor, id }) => `${vendor} ${id}`)).toEqual(['NVIDIA 0', 'NVIDIA 1', 'Intel card0']);
  });

  it('xpu-smi is preferred to sysfs where it knows devices', async () => {
    await drmCard('card0', '0x8086');
    const script = `case "$*" in
      "discovery -j") cat ${fixturePath('xpu-smi-discovery.json')};;
      "discovery -d 0 -j") cat ${fixturePath('xpu-smi-device-0.json')};;
      "stats -d 0 -j") cat ${fixturePath('xpu-smi-stats-0.json')};;
      *) echo '{}';;
    esac`;
    const tools = { nvidiaSmiPath: '', rocmSmiPath: '', xpuSmiPath: await tool('xpu-smi', script) };
    const cards = await readGpus(tools, folder);
    expect(cards.map(({ id, util_gpu }) => [id, util_gpu])).toEqual([
      ['0', 30],
      ['2', null],
    ]);
  });
});

describe('where the tools are', () => {
  it('is said by the settings, else by the variables of the older edge services', () => {
    const variables: Record<string, string> = {
      NVIDIA_SMI_PATH: '/opt/nvidia-smi',
      ROCM_SMI_PATH: '/opt/rocm-smi',
    };
    const read = (name: string) => variables[name];
    expect(gpuToolsOf(defaultGpuTools, read)).toEqual({
      ...{ nvidiaSmiPath: '/opt/nvidia-smi', rocmSmiPath: '/opt/rocm-smi', xpuSmiPath: 'xpu-smi' },
    });
    expect(gpuToolsOf({ ...defaultGpuTools, nvidiaSmiPath: '', rocmSmiPath: '/mine' }, read)).toMatchObject({
      ...{ nvidiaSmiPath: '', rocmSmiPath: '/mine' },
    });
    expect(gpuToolsOf(defaultGpuTools, () => undefined)).toEqual(defaultGpuTools);
  });
});
