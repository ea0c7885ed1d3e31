/** What a line of a multipart stream is, told from its first bytes, with "not enough bytes yet" as an answer of its own. */

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const DASH = 0x2d;
const COLON = 0x3a;
const SLASH = 0x2f;
/** Dashes and blanks around a boundary; more are something else. */
const MAX_PADDING = 64;

/** Offset of `byte` in from..end, or -1. */
export function indexOfByte(bytes: Buffer, byte: number, from: number, end: number): number {
  const found = bytes.indexOf(byte, from);
  return found < end ? found : -1;
}

/** Do the bytes at `at` start with `word` (lower case) in any case? 1 yes, 0 no, -1 more bytes are needed. */
export function startsLike(bytes: Buffer, at: number, end: number, word: string): -1 | 0 | 1 {
  for (let i = 0; i < word.length; i++) {
    if (at + i >= end) return -1;
    const byte = bytes[at + i] ?? 0;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== word.charCodeAt(i)) return 0;
  }
  return 1;
}

/**
 * Is there a boundary line (`--b`, `-- b`, `--b--`) at `at`, which is a line start?
 * The offset just past its line end, 0 if there is none, -1 if more bytes are needed.
 */
export function boundaryLine(bytes: Buffer, at: number, end: number, names: readonly Buffer[]): number {
  let name = at;
  while (name < end && bytes[name] === DASH) name++;
  if (name - at > MAX_PADDING) return 0;
  if (name === end) return -1;
  if (name - at < 2) return 0;
  name = skipBlanks(bytes, name, end);
  let undecided = false;
  for (const token of names) {
    const available = Math.min(token.length, end - name);
    if (available > 0 && token.compare(bytes, name, name + available, 0, available) !== 0) continue;
    if (available < token.length) {
      undecided = true;
      continue;
    }
    const past = closeOfBoundary(bytes, name + token.length, end);
    if (past > 0) return past;
    undecided ||= past < 0;
  }
  return undecided && end - at <= 4 * MAX_PADDING + 256 ? -1 : 0;
}

function closeOfBoundary(bytes: Buffer, after: number, end: number): number {
  let at = after;
  while (at < end && bytes[at] === DASH) at++;
  at = skipBlanks(bytes, at, end);
  if (at - after > MAX_PADDING) return 0;
  if (at < end && bytes[at] === CR) at++;
  if (at >= end) return -1;
  return bytes[at] === LF ? at + 1 : 0;
}

function skipBlanks(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}

/**
 * Is the line at `at` a header (`Name: value`, or a stray HTTP status line)? 1 yes, 0 no, -1 more bytes are needed.
 * A heartbeat without a blank line before it is known by its word, so that it need not wait for its line end.
 */
export function headerLine(bytes: Buffer, at: number, end: number): -1 | 0 | 1 {
  if (startsLike(bytes, at, end, 'heartbeat') > 0) return 0;
  let after = at;
  while (after < end && isNameByte(bytes[after] ?? 0)) after++;
  if (after > at && bytes[after] === SLASH && after < end) return startsLike(bytes, at, end, 'http/') > 0 ? 1 : 0;
  const colon = skipBlanks(bytes, after, end);
  if (colon >= end) return -1;
  return after > at && bytes[colon] === COLON ? 1 : 0;
}

const isNameByte = (byte: number): boolean =>
  (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || byte === DASH;
