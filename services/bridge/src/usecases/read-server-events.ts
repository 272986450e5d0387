import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

const maxEventChars = 2 * 1024 * 1024;

/** The data of every server-sent event of a body. @throws {RangeError} when one is larger than 2 Mi characters */
export async function* readServerEvents(body: Readable): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.write(chunk as Buffer);
    if (rest.length > maxEventChars) throw new RangeError('A server-sent event is too large');
    const blocks = rest.replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = dataOf(block);
      if (data !== undefined) yield data;
    }
  }
}

function dataOf(block: string): string | undefined {
  const lines = block
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).replace(/^ /, ''));
  return lines.length === 0 ? undefined : lines.join('\n');
}
