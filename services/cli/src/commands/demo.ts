import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { bold, printResult, withProgress } from '../terminal.js';
import { onAction } from './action.js';

const source = new URL('../../assets/mandelbrot.mjs', import.meta.url);
const overview = { left: -2.2, top: -1.2, width: 3.2, height: 2.4, columns: 78, rows: 22, depth: 60 };
const detail = { left: -0.7475, top: 0.094, width: 0.012, height: 0.009, columns: 78, rows: 22, depth: 400 };
const syncRounds = 20;

/** `gantry demo`: sign in, upload, execute synchronously and asynchronously, with timings. */
export function addDemo(program: Command): void {
  onAction(
    program.command('demo').description('Draw the Mandelbrot set at the edge, with timings'),
    async ({ client, edge, output }) => {
      const timings: Record<string, number> = {};
      const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
        const startMs = performance.now();
        const result = await withProgress(name, work());
        timings[name] = Math.round((performance.now() - startMs) * 10) / 10;
        return result;
      };
      const code = readFileSync(source);
      await timed('sign in', () => client.authenticate());
      const functionId = await timed('upload', () =>
        client.uploadFunction({
          LANG: 'JS',
          FC: code.toString('base64'),
          FC_HASH: createHash('sha256').update(code).digest('hex'),
          NAME: 'mandelbrot.mjs',
        }),
      );
      const requirementId = await timed('requirement', () => client.createRequirement({ FLAVOUR: 'Nature' }));
      const input = (tile: object) => ({ functionId, requirementId, parameters: [encode(tile)] });

      const first = await timed('sync, first call', () => edge.execute(input(overview)));
      const rounds: number[] = [];
      for (let round = 0; round < syncRounds; round += 1) {
        const startMs = performance.now();
        await edge.execute(input(overview));
        rounds.push(performance.now() - startMs);
      }
      timings[`sync, median of ${syncRounds}`] =
        Math.round((rounds.sort((a, b) => a - b)[syncRounds / 2] ?? 0) * 10) / 10;
      const accepted = await timed('async, accepted', () => edge.executeAsync(input(detail)));
      const execution = await timed('async, finished', () =>
        edge.readExecution(accepted.execution_id, { waitSeconds: 60 }),
      );
      for (const one of [first, execution])
        if (one.ret_code !== 0) throw new Error(`the function failed: ${one.err}`);
      const pictures = { overview: decode(first.res), detail: decode(execution.res ?? '') };
      const lines = Object.entries(timings).map(
        ([name, ms]) => `${name.padEnd(22)} ${String(ms).padStart(8)} ms`,
      );
      const text = [
        bold('sync'),
        ...pictures.overview,
        '',
        bold(`async ${accepted.execution_id}`),
        ...pictures.detail,
        '',
        ...lines,
      ].join('\n');
      printResult(
        output,
        { timings_ms: timings, function_id: functionId, execution_id: accepted.execution_id, ...pictures },
        text,
      );
    },
  );
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const decode = (res: string): string[] => JSON.parse(Buffer.from(res, 'base64').toString('utf8')) as string[];
