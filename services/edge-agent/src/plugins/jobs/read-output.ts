/** The output of a task piece by piece: it grows while it is read. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { AppError } from '@gantry/kernel';

export interface OutputPiece {
  readonly bytes: Buffer;
  /** Where the next piece begins. */
  readonly nextOffset: number;
  /** Bytes that are there at present. */
  readonly size: number;
}

/**
 * At most `maxBytes` from `offset` on; nothing when it is not there yet. An offset beyond the end reads nothing.
 * @throws {AppError} file-access-denied when it is not a regular file (any more), or may not be read
 */
export async function readOutput(path: string, offset: number, maxBytes: number): Promise<OutputPiece> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new AppError('file-access-denied', `The output cannot be read: ${code}`, { cause: error });
  });
  if (handle === undefined) return { bytes: Buffer.alloc(0), nextOffset: offset, size: 0 };
  try {
    const stats = await handle.stat();
    if (!stats.isFile())
      throw new AppError('file-access-denied', 'The output went to something that is no file');
    const length = Math.max(0, Math.min(maxBytes, stats.size - offset));
    const buffer = Buffer.alloc(length);
    const { bytesRead } = length === 0 ? { bytesRead: 0 } : await handle.read(buffer, 0, length, offset);
    return { bytes: buffer.subarray(0, bytesRead), nextOffset: offset + bytesRead, size: stats.size };
  } finally {
    await handle.close();
  }
}

/** The piece as text; a character that is only half there is left to the next piece, unless nothing follows. Pure. */
export function toText(
  { bytes, nextOffset }: OutputPiece,
  isLast: boolean,
): { text: string; nextOffset: number } {
  const cut = isLast ? bytes.length : wholeCharacters(bytes);
  return { text: bytes.toString('utf8', 0, cut), nextOffset: nextOffset - (bytes.length - cut) };
}

/** How many bytes are whole characters of UTF-8 (RFC 3629: a character has at most four bytes). */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
