/** Every figure is a list of milliseconds; what they come to is for the report. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Language } from '@gantry/contracts';
import type { measuredLanguages } from './languages.js';
import { flavourNameOf, type MeasuredLevel, type MeasuredPlatform, measuredLevels } from './platform.js';
import { newTarget, runIntoDeadline, type Target } from './target.js';

type MeasuredLanguage = (typeof measuredLanguages)[number];

export interface Samples {
  readonly language: Language;
  readonly level: MeasuredLevel;
  readonly figure: string;
  readonly ms: readonly number[];
}

export interface Counts {
  readonly first: number;
  readonly warm: number;
  readonly fresh: number;
  readonly kills: number;
  readonly alternating: number;
}

const atOnce = 8;
/** Before the first call of a function: what the last one left to do is done. */
const restMs = 400;

/** All figures of one language; the levels in turns, so that both see the same machine. */
export async function measureLanguage(
  bench: MeasuredPlatform,
  language: MeasuredLanguage,
  counts: Counts,
): Promise<Samples[]> {
  const samples = new Map<string, Samples & { ms: number[] }>();
  const note = (level: MeasuredLevel, figure: string, ms: number) => {
    const key = `${level} ${figure}`;
    const known = samples.get(key) ?? { language, level, figure, ms: [] };
    known.ms.push(ms);
    samples.set(key, known);
  };
  const { client, platform } = bench;
  const at = (level: MeasuredLevel, isFresh = false) =>
    newTarget(client, platform.edgeUrl, { language, flavour: flavourNameOf(language, level), isFresh });

  for (const _ of repeat(counts.first))
    for (const level of measuredLevels) {
      const target = await at(level);
      await sleep(restMs);
      note(level, 'first call of a new function', await target.call());
      note(level, 'second call', await target.call());
    }

  await inTurns(counts.warm, await eachLevel(at), (level, ms) => note(level, 'warm call', ms));
  const fresh = await eachLevel((level) => at(level, true));
  await inTurns(counts.fresh, fresh, (level, ms) => note(level, 'call in a fresh realm', ms));

  for (const level of measuredLevels) {
    const flavour = flavourNameOf(language, level);
    const target = await at(level);
    await target.call();
    for (const _ of repeat(counts.kills)) {
      await runIntoDeadline(client, platform.edgeUrl, { language, flavour });
      note(level, 'next call after a kill', await target.call());
    }
    for (const owners of [1, 2, 10]) {
      const figure = `call, ${owners} owner${owners === 1 ? '' : 's alternating'}, ${atOnce} at once`;
      for (const ms of await alternate(bench, { language, flavour }, owners, counts.alternating))
        note(level, figure, ms);
    }
  }
  return [...samples.values()];
}

const repeat = (count: number) => Array.from({ length: count }, (_, index) => index);

async function eachLevel(make: (level: MeasuredLevel) => Promise<Target>) {
  const targets: [MeasuredLevel, Target][] = [];
  for (const level of measuredLevels) targets.push([level, await make(level)]);
  return targets;
}

/** Calls each target in turn; the first calls only warm them up. */
async function inTurns(
  count: number,
  targets: readonly (readonly [MeasuredLevel, Target])[],
  note: (level: MeasuredLevel, ms: number) => void,
): Promise<void> {
  for (const _ of repeat(10)) for (const [, target] of targets) await target.call();
  for (const _ of repeat(count)) for (const [level, target] of targets) note(level, await target.call());
}

/** Calls strictly in the order of the owners, a fixed number under way at any time. */
async function alternate(
  bench: MeasuredPlatform,
  options: { language: MeasuredLanguage; flavour: string },
  owners: number,
  count: number,
): Promise<number[]> {
  const targets: Target[] = [];
  for (const _ of repeat(owners))
    targets.push(await newTarget(await bench.newOwner(), bench.platform.edgeUrl, options));
  for (const target of targets) await target.call();
  const measured: number[] = [];
  let next = 0;
  const caller = async () => {
    while (next < count) {
      const target = targets[next % owners];
      next += 1;
      if (target !== undefined) measured.push(await target.call());
    }
  };
  await Promise.all(repeat(atOnce).map(caller));
  return measured;
}
