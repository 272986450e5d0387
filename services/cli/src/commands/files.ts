import { type FilesClient, isGantryError } from '@gantry/client';
import type { FileEntry } from '@gantry/contracts';
import type { Command } from 'commander';
import type { Connection } from '../connection.js';
import { copyDown } from '../files/copy-down.js';
import { CopyInterrupt } from '../files/copy-interrupt.js';
import type { CopyOptions, CopyResult } from '../files/copy-plan.js';
import { copyUp } from '../files/copy-up.js';
import { parsePlace, parseRemote, type RemotePlace, toWord } from '../files/place.js';
import { toSize } from '../files/transfer-progress.js';
import { note, printResult, toTable, withProgress } from '../terminal.js';
import { onAction, take } from './action.js';
import { UsageError } from './usage-error.js';

const maxListed = 100_000;

/** `gantry files ls|stat|cp|mv|rm|mkdir` */
export function addFiles(program: Command): void {
  const files = program
    .command('files')
    .description(
      'Files of nodes: NODE:/PATH, or NODE:PATH for one below the first folder that the node shares',
    );
  addList(files);
  addStat(files);
  addCopy(files);
  addMove(files);
  addRemove(files);
  const mkdir = files
    .command('mkdir <place>')
    .description('Make a folder')
    .option('-p, --parents', 'make the folders above it too');
  onAction<{ parents?: boolean }>(mkdir, async (connection, [word = ''], { parents }) => {
    const place = parseRemote(word);
    await filesOf(connection, place).makeFolder(place.path, { parents });
    printResult(connection.output, { made: word }, `Made ${word}`);
  });
}

const filesOf = ({ bridge }: Connection, { node }: RemotePlace): FilesClient =>
  bridge.node(node).plugin('files');

function addList(files: Command): void {
  const command = files
    .command('ls <place>')
    .description(
      'List NODE:/PATH, or NODE:PATH below the first folder that the node shares; NODE alone: what it shares',
    );
  onAction(command, async (connection, [word = '']) => {
    const place = parsePlace(word);
    if (place.kind === 'local') {
      const roots = await connection.bridge.node(word).plugin('files').roots();
      const rows = roots.map(({ name, path, writable }) => [name, path, writable ? 'yes' : 'no']);
      printResult(
        connection.output,
        roots,
        toTable(['ROOT', 'PATH', 'WRITABLE'], rows, 'The node shares nothing.'),
      );
      return;
    }
    const client = filesOf(connection, place);
    const entry = await client.stat(place.path);
    // A link to a folder is asked for what it leads to.
    const isFolder = entry.type === 'dir' || entry.type === 'symlink';
    const entries = isFolder ? await take(client.list(place.path), maxListed) : [entry];
    if (entries.length === maxListed) note(`Only the first ${maxListed} are shown.`);
    printResult(
      connection.output,
      entries,
      toTable(['MODE', 'SIZE', 'CHANGED', 'NAME'], entries.map(toRow), 'The folder is empty.'),
    );
  });
}

const toRow = ({ mode, modified_at, name, size, target, type }: FileEntry) => [
  mode,
  size,
  modified_at,
  type === 'dir'
    ? `${printable(name)}/`
    : target === null
      ? printable(name)
      : `${printable(name)} -> ${printable(target)}`,
];

/** Names of files may hold anything; a terminal acts on some of it. */
const printable = (text: string): string =>
  text.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));

function addStat(files: Command): void {
  const command = files
    .command('stat <place>')
    .description('Show what is known of a file or folder')
    .option('--checksum', 'of a file, its sha256 too');
  onAction<{ checksum?: boolean }>(command, async (connection, [word = ''], { checksum }) => {
    const place = parseRemote(word);
    const client = filesOf(connection, place);
    const entry = await client.stat(place.path);
    const sum =
      checksum === true
        ? (await withProgress(`summing up ${word}`, client.checksum(place.path))).checksum
        : undefined;
    const rows = [
      ['path', printable(entry.path)],
      ['type', entry.type],
      ['size', entry.size],
      ['mode', entry.mode],
      ['changed', entry.modified_at],
      ...(entry.target === null ? [] : [['leads to', printable(entry.target)]]),
      ...(sum === undefined ? [] : [['sha256', sum]]),
    ];
    const whole = sum === undefined ? entry : { ...entry, sha256: sum };
    printResult(connection.output, whole, toTable([printable(entry.name), ''], rows, ''));
  });
}

function addCopy(files: Command): void {
  const command = files
    .command('cp <from> <to>')
    .description('Copy to a node or back: gantry files cp ./data NODE:/scratch/data')
    .option('-r, --recursive', 'a folder with everything in it; links are left out')
    .option('-f, --force', 'replace what is there')
    .option(
      '--resume',
      'go on with a copy that broke off; files that are there already with the same bytes are kept',
    )
    .addHelpText(
      'after',
      '\nEvery file is compared by its sha256 in the end, and appears under its name when it is whole. A connection\nthat breaks is made again, for a minute; Ctrl-C keeps what arrived for --resume.',
    );
  type Options = { recursive?: boolean; force?: boolean; resume?: boolean };
  onAction<Options>(command, async (connection, [from = '', to = ''], { force, recursive, resume }) => {
    const interrupt = new CopyInterrupt();
    const options = {
      interrupt,
      isForced: force === true,
      isRecursive: recursive === true,
      isResumed: resume === true,
    };
    const copying = interrupt.during(() => copy(connection, from, to, options));
    const result = await copying.catch((error: unknown) => {
      // What arrived is kept, on either side.
      if (isBroken(error)) note('The copy broke off; the same command with --resume goes on with it.');
      throw error;
    });
    for (const path of result.left_out)
      note(`left out, because it is neither a file nor a folder: ${printable(path)}`);
    printResult(connection.output, result, toText(result));
  });
}

const isBroken = (error: unknown): boolean =>
  isGantryError(error) && (error.code === 'unreachable' || error.code === 'timeout' || error.status >= 502);

function copy(
  connection: Connection,
  fromWord: string,
  toWord: string,
  options: CopyOptions,
): Promise<CopyResult> {
  const [from, to] = [parsePlace(fromWord), parsePlace(toWord)];
  if (from.kind === 'local' && to.kind === 'remote')
    return copyUp(filesOf(connection, to), from.path, to, options);
  if (from.kind === 'remote' && to.kind === 'local')
    return copyDown(filesOf(connection, from), from, to.path, options);
  throw new UsageError(
    from.kind === 'local'
      ? 'one of the two must be on a node: NODE:PATH'
      : 'copies go between this machine and a node; from node to node copy twice',
  );
}

function toText({ bytes, files, folders, sha256, skipped, to }: CopyResult): string {
  const made = folders === 0 ? '' : `, ${folders} folders`;
  const kept = skipped === 0 ? '' : `, ${skipped} there already`;
  const sum = sha256 === undefined ? '' : `\nsha256 ${sha256}`;
  return `${to}: ${files} ${files === 1 ? 'file' : 'files'}${made}, ${toSize(bytes)}${kept}${sum}`;
}

function addMove(files: Command): void {
  const command = files
    .command('mv <from> <to>')
    .description('Move or rename on one node: gantry files mv NODE:a NODE:b')
    .option('-f, --force', 'replace what is there');
  onAction<{ force?: boolean }>(command, async (connection, [fromWord = '', toWordGiven = ''], { force }) => {
    const from = parseRemote(fromWord);
    const to = parseRemote(toWordGiven);
    if (from.node !== to.node) throw new UsageError('both must be on the same node; cp copies');
    await filesOf(connection, from).move(from.path, to.path, { overwrite: force });
    printResult(connection.output, { from: fromWord, to: toWord(to) }, `Moved to ${toWord(to)}`);
  });
}

function addRemove(files: Command): void {
  const command = files
    .command('rm <place>')
    .description('Delete a file, or a folder')
    .option('-r, --recursive', 'a folder with everything in it');
  onAction<{ recursive?: boolean }>(command, async (connection, [word = ''], { recursive }) => {
    const place = parseRemote(word);
    const removing = filesOf(connection, place).remove(place.path, { recursive });
    const deleted = await withProgress(`deleting ${word}`, removing);
    printResult(connection.output, { removed: word, entries: deleted }, `Removed ${word}`);
  });
}
