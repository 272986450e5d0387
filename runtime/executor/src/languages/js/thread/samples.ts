import { Buffer } from 'node:buffer';
import { createHash, createHmac, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { MIMEType } from 'node:util';
import { RuleError } from './rules.js';

/**
 * Objects of every kind that functions can make or be given: their prototypes and constructors have no global name,
 * so freezing starts from them. They themselves are thrown away.
 */
export function samples(): object[] {
  const text = new ReadableStream({ type: 'bytes', pull: (controller) => controller.close() });
  const plain = new ReadableStream({ start: (controller) => controller.close() });
  // Node makes a context of its own for the error of a released reader, at the first one, with what `disarm.ts` takes away.
  new ReadableStream().getReader().releaseLock();
  const writable = new WritableStream();
  const transform = new TransformStream();
  const stream = new Readable({ read: () => undefined, signal: AbortSignal.abort() }).on(
    'error',
    () => undefined,
  );
  const channel = new MessageChannel();
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const hash = createHash('md5');
  const hashes = [hash, hash.copy(), createHmac('md5', 'k')];
  // Their parts as streams are made when they are first read.
  for (const each of hashes) void Reflect.get(each, '_readableState');
  const made: unknown[] = [
    ...hashes,
    ...[createSecretKey(Buffer.from('k')), privateKey, publicKey],
    ...[stream, stream.errored, new Writable(), stream[Symbol.asyncIterator]()],
    ...[EventEmitter.EventEmitterAsyncResource, EventEmitter.on(new EventEmitter(), 'x')],
    ...[new EventEmitter.EventEmitterAsyncResource({ name: 'x' })],
    ...[text, text.getReader({ mode: 'byob' }), plain, plain.values()],
    ...[writable, writable.getWriter(), transform, transform.readable.getReader()],
    ...[channel, channel.port1, channel.port2],
    ...[new Blob(['x']), new File([], 'x'), new URL('a:b'), new URLSearchParams('a=b')],
    ...[new URLSearchParams('a=b').entries(), new MIMEType('text/plain;a=b')],
    ...[new AbortController(), new Event('x'), new EventTarget(), new DOMException('x')],
    ...[new TextDecoder(), new TextEncoder(), new TextDecoderStream(), new CompressionStream('gzip')],
    ...[performance, performance.mark('x'), globalThis.crypto, Object.getPrototypeOf(globalThis)],
    ...[...linksOfTimers(), RuleError],
  ];
  performance.clearMarks('x');
  channel.port1.close();
  return made.filter((value): value is object => value !== null && value !== undefined);
}

/** Timers, no longer linked to others: through the links, lists that are in use would be frozen. */
function linksOfTimers(): object[] {
  const timer = setTimeout(() => undefined, 1);
  const immediate = setImmediate(() => undefined);
  const list = Object.getPrototypeOf(Reflect.get(timer, '_idlePrev')) as object;
  clearTimeout(timer);
  clearImmediate(immediate);
  return [list, timer, immediate];
}
