import { readFileSync } from 'node:fs';

/**
 * The bytes of a capture file: header lines (`#! `) up to and including the line `#!RAW` are cut off, the rest is untouched.
 * A file without header lines is returned whole.
 */
export function readCapture(path: string): Buffer {
  const bytes = readFileSync(path);
  if (!bytes.subarray(0, 2).equals(Buffer.from('#!'))) return bytes;
  const marker = /^#!RAW\r?\n/m.exec(bytes.toString('latin1'));
  return marker ? bytes.subarray(marker.index + marker[0].length) : bytes;
}
