import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** An agent's events are 256 KiB at most; the rest is for the other fields. */
const maxEventChars = 264 * 1024;

/**
 * The data of every server-sent event of a body. What has come is looked at once, however it is cut.
 * @throws {RangeError} when one is larger than 264 Ki characters
 */
export async function* readServerEvents(body: Readable): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let line = '';
  let data: string[] = [];
  let size = 0;
  for await (const chunk of body) {
    const text = decoder.write(chunk as Buffer);
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf('\n', at);
      const stop = end === -1 ? text.length : end;
      size += stop - at + 1;
      if (size > maxEventChars) throw new RangeError('A server-sent event is too large');
      line += text.slice(at, stop);
      at = stop + 1;
      if (end === -1) break;
      if (line.endsWith('\r')) line = line.slice(0, -1);
      if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
      else if (line === '') {
        if (data.length > 0) yield data.join('\n');
        data = [];
        size = 0;
      }
      line = '';
    }
  }
}
