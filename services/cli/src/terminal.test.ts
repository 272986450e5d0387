import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { bold, note, printResult, toTable, wayOutOf, writerTo } from './terminal.js';

const streams = [process.stdout, process.stderr];
const were = streams.map((stream) => Object.getOwnPropertyDescriptor(stream, 'isTTY'));

function beTerminal(isTTY: boolean): void {
  for (const stream of streams) Object.defineProperty(stream, 'isTTY', { value: isTTY, configurable: true });
}

afterEach(() => {
  streams.forEach((stream, index) => {
    const was = were[index];
    if (was === undefined) Reflect.deleteProperty(stream, 'isTTY');
    else Object.defineProperty(stream, 'isTTY', was);
  });
});

/** What a command prints with it. */
function printedBy(print: () => void): string {
  const lines: string[] = [];
  const keep = (line: unknown) => void lines.push(String(line));
  jest.spyOn(console, 'log').mockImplementation(keep);
  jest.spyOn(console, 'error').mockImplementation(keep);
  print();
  jest.restoreAllMocks();
  return lines.join('\n');
}

/** A stream that keeps what is written to it. */
function fakeStream(isTTY: boolean) {
  const pieces: Buffer[] = [];
  const write = (piece: Uint8Array | string, done: () => void) => {
    pieces.push(Buffer.from(piece as Uint8Array));
    done();
  };
  return { stream: { isTTY, write } as unknown as NodeJS.WriteStream, written: () => Buffer.concat(pieces) };
}

const hostile = 'a\u001b]0;title\u0007\u001b[2J\u009b1m\u007f\u0000\rb\u202ec';
const harmless = 'a\\u001b]0;title\\u0007\\u001b[2J\\u009b1m\\u007f\\u0000\\u000db\\u202ec';

describe('what others wrote and a command prints', () => {
  it('does not steer a terminal: results, tables, notes', () => {
    beTerminal(true);
    const text = { isJson: false };
    expect(printedBy(() => printResult(text, {}, hostile))).toBe(harmless);
    expect(printedBy(() => note(hostile))).toBe(harmless);
    const table = toTable([hostile], [[hostile], ['\u001b[1mbold\u001b[22m']], '');
    const printed = printedBy(() => printResult(text, {}, table));
    expect(printed.split(harmless)).toHaveLength(3);
    expect(printed).toContain('\\u001b[1mbold\\u001b[22m');
  });

  it('keeps tabs, line ends, every letter, and what a command made bold', () => {
    beTerminal(true);
    const own = bold('heading');
    const text = `${own}\tüß\u{1f600}\r\nnext\n`;
    expect(printedBy(() => printResult({ isJson: false }, {}, text))).toBe(text);
  });

  it('is exact in a file, in a pipe, and as JSON', () => {
    beTerminal(false);
    expect(printedBy(() => printResult({ isJson: false }, {}, hostile))).toBe(hostile);
    expect(toTable(['NAME'], [[hostile]], '')).toContain(hostile);
    beTerminal(true);
    const json = printedBy(() => printResult({ isJson: true }, { hostile }, ''));
    expect(JSON.parse(json)).toEqual({ hostile });
    expect(json).toBe(JSON.stringify({ hostile }, null, 2));
  });

  it('is made harmless in pieces too, also where one ends inside of a letter', async () => {
    const bytes = Buffer.from(`é${hostile}\n`);
    const terminal = fakeStream(true);
    const write = writerTo(terminal.stream);
    for (const byte of bytes) await write(Uint8Array.of(byte));
    expect(terminal.written().toString()).toBe(`é${harmless}\n`);
    const pipe = fakeStream(false);
    await writerTo(pipe.stream)(Uint8Array.of(0xff, 0x1b, 0x00));
    expect([...pipe.written()]).toEqual([0xff, 0x1b, 0x00]);
  });
});

describe('what to do when nothing answers', () => {
  it.each([
    ['http://h:1341/v1/nodes/n1/files/stat?path=a', '--bridge-url'],
    ['http://h:1341/prefix/v1/nodes', '--bridge-url'],
    ['http://h:1338/v1/accounts', '--cloud-url'],
    [undefined, '--cloud-url'],
  ])('%s', (url, flag) => {
    expect(wayOutOf(url)).toContain(flag);
  });
});
