import { between, type Random } from './seeded-random';

/**
 * Cuts outgoing bytes into the pieces that are written one by one (facts A2: parts split anywhere). The receiver's kernel may still join
 * pieces: a test that needs exact chunks feeds its parser directly.
 */
export type Chunker = (bytes: Buffer) => Buffer[];

export const oneByteChunks: Chunker = (bytes) => inSizes(bytes, [1]);

/** Pieces of 1 to `largest` bytes at positions the seed decides. */
export function randomChunks(random: Random, largest = 64): Chunker {
  return (bytes) => {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = between(random, 1, largest);
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    return pieces;
  };
}

/** Pieces of the given sizes (bytes, at least 1), the list repeated until the end. */
export function inSizes(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? bytes.length);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
