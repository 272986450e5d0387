import { appendFile, copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentEvent } from '@gantry/contracts';
import { silentLogger, systemClock } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EventSpool, type SpoolOptions } from './event-spool.js';

let folder: string;
let open: EventSpool[] = [];
let dropped = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-spool-'));
  dropped = 0;
});
afterEach(async () => {
  await Promise.all(open.map((spool) => spool.close()));
  open = [];
  await rm(folder, { recursive: true, force: true });
});

async function openSpool(options: Partial<SpoolOptions> = {}): Promise<EventSpool> {
  const spool = await EventSpool.open({
    folder,
    maxEvents: 100,
    maxBytes: 1024 * 1024,
    clock: systemClock,
    logger: silentLogger,
    onDropped: (count) => {
      dropped += count;
    },
    ...options,
  });
  open.push(spool);
  return spool;
}

async function restart(spool: EventSpool, options: Partial<SpoolOptions> = {}): Promise<EventSpool> {
  await spool.close();
  open = open.filter((one) => one !== spool);
  return openSpool(options);
}

/** What a new reader is handed at once. */
async function waiting(spool: EventSpool, from = { seq: 0 }): Promise<readonly AgentEvent[]> {
  const events: AgentEvent[] = [];
  const enough = new AbortController();
  // The last event is always ours, so that the reading comes to an end.
  spool.emit('test', 'end-of-reading', null, { isState: true });
  for await (const event of spool.read(from, enough.signal)) {
    if (event.topic === 'end-of-reading') break;
    events.push(event);
  }
  return events;
}

const dataOf = (events: readonly AgentEvent[]): readonly unknown[] => events.map(({ data }) => data);

describe('the event spool', () => {
  it('hands out what was emitted, in order, and what comes while somebody reads', async () => {
    const spool = await openSpool();
    spool.emit('jobs', 'state', 1);
    const seen: unknown[] = [];
    const enough = new AbortController();
    for await (const event of spool.read({ seq: 0 }, enough.signal)) {
      seen.push(event.data);
      if (seen.length === 1) setImmediate(() => spool.emit('jobs', 'state', 2));
      if (seen.length === 2) enough.abort();
    }
    expect(seen).toEqual([1, 2]);
  });

  it('never hands out again what was acknowledged, also after a restart', async () => {
    let spool = await openSpool();
    for (let count = 1; count <= 10; count += 1) spool.emit('jobs', 'state', count);
    const events = await waiting(spool);
    await spool.acknowledge(events[0]?.epoch ?? '', events[3]?.seq ?? 0);
    expect(dataOf(await waiting(spool))).toEqual([5, 6, 7, 8, 9, 10]);
    spool = await restart(spool);
    const rest = await waiting(spool);
    expect(dataOf(rest)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(rest.map(({ seq }) => seq)).toEqual(events.slice(4).map(({ seq }) => seq));
  });

  it('survives a crash at any byte of its journal without using a number twice', async () => {
    const spool = await openSpool();
    const before = new Map<number, unknown>();
    for (let count = 1; count <= 5; count += 1) spool.emit('jobs', 'state', { count });
    await spool.flush();
    for (const event of await waiting(spool)) before.set(event.seq, event.data);
    const journal = await readFile(join(folder, 'events.journal'));
    const opening = journal.indexOf('\n');
    for (let cut = opening + 1; cut <= journal.length; cut += 7) {
      const torn = await mkdtemp(join(folder, 'torn-'));
      await writeFile(join(torn, 'events.journal'), journal.subarray(0, cut));
      const after = await openSpool({ folder: torn });
      after.emit('jobs', 'state', 'new');
      for (const event of await waiting(after)) {
        if (event.data === 'new') expect(before.has(event.seq)).toBe(false);
        else expect(before.get(event.seq)).toEqual(event.data);
      }
      await after.close();
      open = open.filter((one) => one !== after);
    }
  });

  it('goes on after damage in the middle, and begins a new epoch when nothing can be read', async () => {
    let spool = await openSpool();
    const { epoch } = spool.stats;
    spool.emit('jobs', 'state', 1);
    await spool.flush();
    await appendFile(join(folder, 'events.journal'), '{"event":{"broken\n\u0000\u0001\n');
    spool = await restart(spool);
    spool.emit('jobs', 'state', 2);
    expect(dataOf(await waiting(spool))).toEqual([1, 2]);
    await spool.close();
    await writeFile(join(folder, 'events.journal'), 'garbage');
    spool = await openSpool();
    expect(spool.stats.epoch).not.toBe(epoch);
    expect(await waiting(spool, { seq: 0 })).toEqual([]);
  });

  it('drops the oldest beyond its bounds and puts a gap in their place', async () => {
    let spool = await openSpool({ maxEvents: 10 });
    for (let count = 1; count <= 25; count += 1) spool.emit('jobs', 'state', count);
    await spool.flush();
    expect(dropped).toBe(15);
    const events = await openAfter(spool);
    expect(events[0]).toMatchObject({ plugin: 'agent', topic: 'gap', data: { dropped: 15 } });
    expect(dataOf(events.slice(1))).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
    // The gap is there after a restart too, and is over once it is acknowledged.
    spool = await restart(spool, { maxEvents: 11 });
    expect((await openAfter(spool))[0]).toMatchObject({ topic: 'gap', data: { dropped: 15 } });
    await spool.acknowledge(events[0]?.epoch ?? '', events[0]?.seq ?? 0);
    expect((await openAfter(spool))[0]).toMatchObject({ data: 16 });
  });

  /** Without the helper event, which would push one out. */
  async function openAfter(spool: EventSpool): Promise<readonly AgentEvent[]> {
    const events: AgentEvent[] = [];
    const enough = new AbortController();
    for await (const event of spool.read({ seq: 0 }, enough.signal)) {
      events.push(event);
      if (event.data === 25) break;
    }
    return events;
  }

  it('counts bytes too, and refuses an event that is larger than any may be', async () => {
    const spool = await openSpool({ maxBytes: 10_000 });
    for (let count = 0; count < 20; count += 1) spool.emit('jobs', 'state', 'x'.repeat(1000));
    expect(spool.stats.waiting).toBeLessThan(10);
    expect(() => spool.emit('jobs', 'state', 'x'.repeat(300_000))).toThrow(RangeError);
  });

  it('keeps only the newest of a state', async () => {
    const spool = await openSpool();
    for (let count = 1; count <= 500; count += 1) spool.emit('sysinfo', 'vitals', count, { isState: true });
    spool.emit('jobs', 'state', 'a');
    expect(dataOf(await waiting(spool))).toEqual([500, 'a']);
    expect(dropped).toBe(0);
  });

  it('takes an event with an id once, over restarts too', async () => {
    let spool = await openSpool();
    spool.emit('jobs', 'state', 1, { id: 'job-7:done' });
    spool.emit('jobs', 'state', 1, { id: 'job-7:done' });
    spool.emit('other', 'state', 2, { id: 'job-7:done' });
    spool = await restart(spool);
    spool.emit('jobs', 'state', 1, { id: 'job-7:done' });
    spool = await restart(spool);
    spool.emit('jobs', 'state', 1, { id: 'job-7:done' });
    expect(dataOf(await waiting(spool))).toEqual([1, 2]);
  });

  it('keeps its journal small while everything is acknowledged', async () => {
    const spool = await openSpool();
    for (let round = 0; round < 40; round += 1) {
      for (let count = 0; count < 50; count += 1) spool.emit('jobs', 'state', 'x'.repeat(2000));
      await spool.acknowledge(spool.stats.epoch, spool.stats.lastSeq);
    }
    // 4 MB went through it.
    expect((await stat(join(folder, 'events.journal'))).size).toBeLessThan(1_500_000);
  });

  it('cannot be read by others', async () => {
    await openSpool();
    expect((await stat(join(folder, 'events.journal'))).mode & 0o777).toBe(0o600);
  });

  it('behaves like a list with an acknowledged prefix, whatever happens to the process', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('emit' as const), value: fc.integer() }),
      fc.record({ kind: fc.constant('ack' as const), share: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ kind: fc.constant('restart' as const) }),
      fc.record({ kind: fc.constant('crash' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        let place = await mkdtemp(join(folder, 'model-'));
        let spool = await openSpool({ folder: place });
        let model: { seq: number; value: number }[] = [];
        for (const one of steps) {
          if (one.kind === 'emit') {
            spool.emit('test', 'value', one.value);
            model.push({ seq: spool.stats.lastSeq, value: one.value });
          } else if (one.kind === 'ack') {
            const upTo = model[Math.floor((model.length * one.share) / 100) - 1];
            if (upTo === undefined) continue;
            await spool.acknowledge(spool.stats.epoch, upTo.seq);
            model = model.filter(({ seq }) => seq > upTo.seq);
          } else if (one.kind === 'restart') {
            await spool.close();
            spool = await openSpool({ folder: place });
          } else {
            // What is on the disk is all that is left of the process.
            await spool.flush();
            const next = await mkdtemp(join(folder, 'model-'));
            await copyFile(join(place, 'events.journal'), join(next, 'events.journal'));
            await spool.close();
            place = next;
            spool = await openSpool({ folder: place });
          }
        }
        const events = await waiting(spool);
        expect(events.map(({ seq, data }) => ({ seq, value: data }))).toEqual(model);
        await spool.close();
      }),
      { numRuns: 40 },
    );
    open = [];
  });
});
