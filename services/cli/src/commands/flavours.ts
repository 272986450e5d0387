import type { FlavourView } from '@gantry/contracts';
import type { Command } from 'commander';
import { printResult, toTable } from '../terminal.js';
import { onAction } from './action.js';

/** `gantry flavours ls` */
export function addFlavours(program: Command): void {
  const flavours = program.command('flavours').description('Flavours of the edge cluster');
  onAction(
    flavours.command('ls').description('List flavours: what they run, how many runtimes, what waits'),
    async ({ edge, output }) => {
      const known = await edge.listFlavours();
      const heads = [
        'NAME',
        'LANGUAGES',
        'PACKAGES',
        'ISOLATION',
        'RUNTIMES',
        'RUNNING',
        'WAITING',
        'OLDEST',
      ];
      printResult(
        output,
        known,
        [toTable(heads, known.map(toRow), 'No flavours.'), ...remarks(known)].join('\n'),
      );
    },
  );
}

/** A language that nobody runs now is put in brackets. */
const toRow = (one: FlavourView): string[] => [
  one.name,
  one.languages.map(({ language, available }) => (available ? language : `(${language})`)).join(','),
  one.packages.map(({ name }) => name).join(',') || '-',
  one.isolation.live.join(',') || '-',
  `${one.live.runtimes}`,
  `${one.live.running}/${one.live.slots}`,
  `${one.queue.sync}+${one.queue.async}`,
  `${Math.max(one.queue.oldest_sync_seconds, one.queue.oldest_async_seconds).toFixed(1)} s`,
];

/** Why languages in brackets are not available. */
const remarks = (known: readonly FlavourView[]): string[] =>
  known.flatMap(({ name, languages }) =>
    languages.flatMap(({ language, reason }) =>
      reason === null ? [] : [`(${language}) of ${name}: ${reason}`],
    ),
  );
