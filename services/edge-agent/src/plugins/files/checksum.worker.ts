/** Runs in a thread: hashing a large file keeps a core busy for seconds. */
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';

const pieceBytes = 1024 * 1024;

/** sha256 in hex of an open file from its start; the descriptor stays the caller's. */
export function run({ fd }: { readonly fd: number }): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (let position = 0; ; ) {
    const readBytes = readSync(fd, piece, 0, pieceBytes, position);
    if (readBytes === 0) return hash.digest('hex');
    hash.update(piece.subarray(0, readBytes));
    position += readBytes;
  }
}
