import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type SysinfoMetrics,
  sysinfoMetricsSchema,
  type Vitals,
  vitalsHistorySchema,
  vitalsSchema,
} from '@gantry/contracts';
import type { Clock } from '@gantry/kernel';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { bridgeRights, type RunningAgent, startAgent } from '../../test-support/start-agent.js';
import { CachedProbe } from './cached-probe.js';
import { cpuLoadBetween } from './cpu-load.js';
import { diskTypeOf, isSharedType } from './disk-type.js';
import { parseSince, readHostRole } from './host-role.js';
import { sysinfoPlugin } from './index.js';
import { ratePerSecond } from './network.js';
import { isWorthPushing, SampleRing } from './vitals.js';

describe('the plugin sysinfo', () => {
  let running: RunningAgent;
  beforeAll(async () => {
    running = await startAgent([sysinfoPlugin], { settings: { sysinfo: { intervalSeconds: 1 } } });
  });
  afterAll(() => running.stop());

  const get = async (path: string): Promise<Record<string, unknown>> =>
    (await (await running.call(`/sysinfo/${path}`)).json()) as Record<string, unknown>;

  it('has every field that the older clients read, under its name', async () => {
    const opened = await running.call('/sysinfo/register_session', { json: {} });
    const { sid } = (await opened.json()) as { sid: string };
    const metrics = sysinfoMetricsSchema.parse(await get(`metrics/${sid}`));
    expect(Object.keys(metrics.system)).toEqual(
      expect.arrayContaining(['hostname', 'uptime', 'kernel', 'arch']),
    );
    expect(Object.keys(metrics.cpu)).toEqual(
      expect.arrayContaining([
        'model',
        'vendor',
        'cores_physical',
        'cores_logical',
        'percent',
        'load_avg',
        'freq_mhz',
      ]),
    );
    expect(Object.keys(metrics.memory)).toEqual(
      expect.arrayContaining(['total', 'available', 'percent', 'used']),
    );
    expect(metrics.system.hostname).toBe(hostname());
    expect(metrics.memory.used + metrics.memory.available).toBe(metrics.memory.total);
    expect(metrics.network.map((one) => one.interface)).not.toContain('lo');
  });

  it('knows where home is and what the machine is for', async () => {
    expect(await get('homedir')).toEqual({ homedir: homedir() });
    expect(await get('host_role')).toMatchObject({ role: expect.stringMatching(/^(login|compute|bridge)$/) });
  });

  it('keeps samples and pushes vitals as a state', async () => {
    let history = vitalsHistorySchema.parse(await get('history'));
    const giveUpMs = performance.now() + 20_000;
    while (history.samples.length < 3 && performance.now() < giveUpMs) {
      await sleep(100);
      history = vitalsHistorySchema.parse(await get('history'));
    }
    expect(history.samples.length).toBeGreaterThanOrEqual(3);
    const times = history.samples.map(({ time }) => time);
    expect(times).toEqual([...times].sort((a, b) => (a < b ? -1 : 1)));
    const later = vitalsHistorySchema.parse(await get(`history?since=${times[0]}`));
    expect(later.samples[0]?.time).toBe(times[1]);
    expect((await running.call('/sysinfo/history?since=yesterday')).status).toBe(422);

    const leaving = new AbortController();
    const response = await running.call('/agent/events', { rights: bridgeRights, signal: leaving.signal });
    let text = '';
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(piece).toString();
      if (/event: vitals\n[\s\S]*\n\n/.test(text)) break;
    }
    leaving.abort();
    const events = text
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => JSON.parse(line.slice(6)) as { plugin: string; topic: string; data: unknown });
    const pushed = events.find(({ plugin, topic }) => plugin === 'sysinfo' && topic === 'vitals');
    expect(vitalsSchema.safeParse(pushed?.data).success).toBe(true);
  });

  it('gives placement its facts', async () => {
    await get('metrics');
    expect(running.agent.info().facts['sysinfo']).toMatchObject({
      os: 'linux',
      cpu_cores: expect.any(Number),
      memory_bytes: expect.any(Number),
      gpus: expect.any(Array),
    });
  });
});

class TestClock implements Clock {
  ms = 0;
  now = (): number => this.ms;
  monotonicMs = (): number => this.ms;
}

describe('a probe with a memory', () => {
  let clock: TestClock;
  let reads: number;
  let answer: () => Promise<string>;
  let probe: CachedProbe<string>;
  beforeEach(() => {
    clock = new TestClock();
    reads = 0;
    answer = async () => `value ${reads}`;
    const read = () => {
      reads += 1;
      return answer();
    };
    probe = new CachedProbe({ read, initial: 'none', maxAgeMs: 1000, timeoutMs: 30, clock });
  });

  it('reads once for many, and again when the value is old', async () => {
    const values = await Promise.all([probe.get(), probe.get(), probe.get()]);
    expect(values.map(({ value }) => value)).toEqual(['value 1', 'value 1', 'value 1']);
    clock.ms = 1000;
    expect(await probe.get()).toEqual({ value: 'value 2', isStale: false });
  });

  it('does not wait for what hangs, and does not start it a second time', async () => {
    await probe.get();
    clock.ms = 1000;
    answer = () => new Promise(() => undefined);
    expect(await probe.get()).toEqual({ value: 'value 1', isStale: true });
    clock.ms = 100_000;
    expect(await probe.get()).toEqual({ value: 'value 1', isStale: true });
    expect(reads).toBe(2);
  });

  it('asks what fails less and less often', async () => {
    answer = async () => Promise.reject(new Error('no'));
    const readsAt: number[] = [];
    for (clock.ms = 0; clock.ms < 20_000; clock.ms += 500) {
      const before = reads;
      expect(await probe.get()).toEqual({ value: 'none', isStale: true });
      if (reads > before) readsAt.push(clock.ms);
    }
    expect(readsAt).toEqual([0, 1000, 3000, 7000, 15_000]);
  });
});

describe('numbers', () => {
  it.each([
    [0, 0, 0],
    [50, 100, 50],
    [100, 100, 0],
    [0, 100, 100],
    [-10, -20, 0],
  ])('idle for %i of %i ms is %i percent of load', (idleMs, totalMs, percent) => {
    const zero = [{ idleMs: 0, totalMs: 0 }];
    expect(cpuLoadBetween(zero, [{ idleMs, totalMs }])).toEqual({ percent, perCore: [percent] });
  });

  it('rates are not known for what is new or was counted anew', () => {
    expect(ratePerSecond(100, 300, 2000)).toBe(100);
    expect(ratePerSecond(undefined, 300, 2000)).toBeNull();
    expect(ratePerSecond(500, 300, 2000)).toBeNull();
    expect(ratePerSecond(1, 2, 0)).toBeNull();
  });

  const vitals = (change: Partial<Vitals> = {}): Vitals => ({
    time: '2026-01-01T00:00:00.000Z',
    cpu_percent: 10.2,
    load_1m: 0.5,
    memory_percent: 40,
    memory_used: 1e9,
    swap_used: 0,
    disk_percent: 30,
    rx_bytes_per_second: 1000,
    tx_bytes_per_second: null,
    temperature_c: null,
    gpus: [],
    ...change,
  });

  it.each<[Partial<Vitals>, boolean]>([
    [{}, false],
    [{ time: '2026-01-01T00:00:10.000Z', cpu_percent: 10.4, memory_used: 1e9 + 1 }, false],
    [{ cpu_percent: 11.2 }, true],
    [{ disk_percent: null }, true],
    [{ rx_bytes_per_second: 1300 }, true],
    [{ gpus: [{ id: '0', util_gpu: 1, mem_used: null }] }, true],
  ])('the change %j is worth a message: %s', (change, expected) => {
    expect(isWorthPushing(vitals(), vitals(change))).toBe(expected);
    expect(isWorthPushing(undefined, vitals(change))).toBe(true);
  });

  it('the history holds as many as it may', () => {
    const ring = new SampleRing(3, 3600_000);
    for (let second = 1; second <= 5; second += 1)
      ring.add(vitals({ time: `2026-01-01T00:00:0${second}.000Z` }));
    expect(ring.since(undefined).map(({ time }) => time.slice(17, 19))).toEqual(['03', '04', '05']);
    ring.resize(1, 3600_000);
    expect(ring.since(undefined)).toHaveLength(1);
  });

  it('the history of the last hour is of the last hour, also after a pause', () => {
    const ring = new SampleRing(360, 3600_000);
    for (const time of ['00:00:00', '00:30:00', '01:20:00'])
      ring.add(vitals({ time: `2026-01-01T${time}.000Z` }));
    expect(ring.since(undefined).map(({ time }) => time.slice(11, 16))).toEqual(['00:30', '01:20']);
  });
});

describe('what kind of disk it is', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-disk-'));
    for (const [disk, rotational] of [
      ['sda', '1'],
      ['nvme0n1', '0'],
    ] as const) {
      const device = join(folder, 'devices', disk);
      const partition = join(device, disk === 'sda' ? 'sda1' : 'nvme0n1p2');
      await mkdir(join(device, 'queue'), { recursive: true });
      await mkdir(partition, { recursive: true });
      await mkdir(join(folder, 'class/block'), { recursive: true });
      await writeFile(join(device, 'queue/rotational'), `${rotational}\n`);
      await symlink(partition, join(folder, 'class/block', disk === 'sda' ? 'sda1' : 'nvme0n1p2'));
      await symlink(device, join(folder, 'class/block', disk));
    }
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it.each<[string, string, SysinfoMetrics['disks'][number]['type']]>([
    ['/dev/sda1', 'ext4', 'local hdd'],
    ['/dev/nvme0n1p2', 'xfs', 'local ssd'],
    ['/dev/nvme0n1', 'xfs', 'local ssd'],
    ['/dev/unheard-of', 'ext4', 'unknown'],
    ['server:/export', 'nfs4', 'shared'],
    ['10.0.0.1@o2ib:/scratch', 'lustre', 'shared'],
    ['tmpfs', 'tmpfs', 'unknown'],
  ])('%s with %s is %s', async (device, fstype, expected) => {
    expect(await diskTypeOf(device, fstype, folder)).toBe(expected);
  });

  it('knows the file systems of clusters', () => {
    for (const type of ['nfs', 'gpfs', 'beegfs', 'cifs', 'ceph', 'fuse.sshfs'])
      expect(isSharedType(type)).toBe(true);
    for (const type of ['ext4', 'xfs', 'btrfs', 'zfs', 'fuse.snapfuse'])
      expect(isSharedType(type)).toBe(false);
  });
});

describe('the role of the host', () => {
  it.each([
    [{}, { role: 'login', scheduler: null, job_id: null }],
    [{ SLURM_JOB_ID: '17' }, { role: 'compute', scheduler: 'slurm', job_id: '17' }],
    [{ PBS_JOBID: '3.head' }, { role: 'compute', scheduler: 'pbs', job_id: '3.head' }],
  ])('with %j', (environment: Record<string, string>, expected) => {
    expect(readHostRole((name) => environment[name])).toEqual(expected);
  });

  it('a time is a time', () => {
    expect(parseSince(null)).toBeUndefined();
    expect(parseSince('2026-01-01T00:00:00Z')).toBe('2026-01-01T00:00:00.000Z');
  });
});
