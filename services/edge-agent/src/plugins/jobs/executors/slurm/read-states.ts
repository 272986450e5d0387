/** What squeue and sacct print of our jobs. Pure. */
import { type JobState, listIndices } from '@gantry/contracts';
import type { Sighting } from '../../plan-events.js';

/** As PSI/J maps them. */
const states: Readonly<Record<string, JobState>> = {
  PENDING: 'QUEUED',
  CONFIGURING: 'QUEUED',
  REQUEUED: 'QUEUED',
  REQUEUE_FED: 'QUEUED',
  REQUEUE_HOLD: 'QUEUED',
  RESV_DEL_HOLD: 'QUEUED',
  REVOKED: 'QUEUED',
  RUNNING: 'ACTIVE',
  COMPLETING: 'ACTIVE',
  RESIZING: 'ACTIVE',
  SIGNALING: 'ACTIVE',
  STAGE_OUT: 'ACTIVE',
  STOPPED: 'ACTIVE',
  SUSPENDED: 'ACTIVE',
  COMPLETED: 'COMPLETED',
  CANCELLED: 'CANCELED',
  BOOT_FAIL: 'FAILED',
  DEADLINE: 'FAILED',
  FAILED: 'FAILED',
  LAUNCH_FAILED: 'FAILED',
  NODE_FAIL: 'FAILED',
  OUT_OF_MEMORY: 'FAILED',
  PREEMPTED: 'FAILED',
  RECONFIG_FAIL: 'FAILED',
  SPECIAL_EXIT: 'FAILED',
  TIMEOUT: 'FAILED',
};

/** Options of squeue for {@link parseSqueue}: every element by itself, also what ended a while ago. */
export const squeueArguments = [
  '--me',
  '--noheader',
  '--array',
  '--states=all',
  '--Format=JobArrayID:.64|,State:.24|,exit_code:.16|,Reason:.128|,NodeList:.16|',
];

/** Options of sacct for {@link parseSacct}, as 22.05 has them: `--array` came later. */
export const sacctArguments = (nativeIds: readonly string[]): readonly string[] => [
  '--allocations',
  '--noheader',
  '--parsable2',
  '--format=JobID,State,ExitCode,Reason,NodeList',
  `--jobs=${nativeIds.join(',')}`,
];

/** Sightings by native id of the job (of an array: of the whole). */
export type SightingsByNative = ReadonlyMap<string, readonly Sighting[]>;

export function parseSqueue(text: string): SightingsByNative {
  return collect(text.split('\n').map((line) => line.split('|').map((field) => field.trim())));
}

export function parseSacct(text: string): SightingsByNative {
  return collect(text.split('\n').map((line) => line.split('|')));
}

function collect(rows: readonly (readonly string[])[]): SightingsByNative {
  const found = new Map<string, Sighting[]>();
  for (const [id = '', stateText = '', exit = '', reason = '', nodes = ''] of rows) {
    // `12`, `12_3`; elements that never began are one row for sacct, `12_[4-9%2]`.
    const [, native, element, range] = /^(\d+)(?:_(?:(\d+)|\[([-\d,:]+)(?:%\d+)?\]))?$/.exec(id) ?? [];
    // sacct says who: `CANCELLED by 1000`.
    const state = states[stateText.split(' ')[0] ?? ''];
    if (native === undefined || state === undefined) continue;
    const isEnd = state === 'COMPLETED' || state === 'FAILED' || state === 'CANCELED';
    const hasRun = nodes !== '' && !/^(None assigned|\(null\)|N\/A)$/.test(nodes);
    const indices =
      range === undefined ? [element === undefined ? null : Number(element)] : listIndices(range);
    const sightings = indices.map((index) => ({
      index,
      state,
      exitCode: isEnd && hasRun ? parseExit(exit) : null,
      message: messageOf(state, stateText, reason),
      hasRun,
    }));
    found.set(native, [...(found.get(native) ?? []), ...sightings]);
  }
  return found;
}

/** A wait status (`768`), or `code:signal`; 128 + signal when a signal ended it. */
export function parseExit(text: string): number | null {
  if (/^\d+$/.test(text)) {
    const status = Number(text);
    return (status & 0x7f) === 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
  }
  const [, code, signal] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (code === undefined) return null;
  return signal === '0' ? Number(code) : 128 + Number(signal);
}

/** Why it waits, or why it ended as it did. */
function messageOf(state: JobState, word: string, reason: string): string | null {
  const isTelling = reason !== '' && reason !== 'None' && reason !== 'NonZeroExitCode';
  if (state === 'QUEUED') return isTelling ? `Slurm: waits (${reason})` : null;
  if (state === 'ACTIVE' || state === 'COMPLETED') return null;
  return isTelling ? `Slurm: ${word} (${reason})` : `Slurm: ${word}`;
}
