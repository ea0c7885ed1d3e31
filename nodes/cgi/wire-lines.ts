/**
 * What a line of a multipart stream is, told from its first bytes, with "not enough bytes yet" as an answer of its own.
 * Each answer is found within a bounded number of bytes, however long the line: it is asked for again with every chunk.
 */
import type { PartHead } from './multipart-reader';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const DASH = 0x2d;
const COLON = 0x3a;
const SLASH = 0x2f;
/** Dashes or blanks at one place of a boundary or header; more are something else. */
const MAX_PADDING = 64;
/** The name of a header; a longer one is none. */
const MAX_NAME = 64;

/** Offset of `byte` in from..end, or -1. The search goes on to the end of `bytes`: ask once per line. */
export function indexOfByte(bytes: Buffer, byte: number, from: number, end: number): number {
  const found = bytes.indexOf(byte, from);
  return found < end ? found : -1;
}

/** Do the bytes at `at` start with `word` (lower case) in any case? 1 yes, 0 no, -1 more bytes are needed. */
export function startsLike(bytes: Buffer, at: number, end: number, word: string): -1 | 0 | 1 {
  const there = Math.min(word.length, end - at);
  for (let i = 0; i < there; i++) {
    const byte = bytes[at + i] ?? 0;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== word.charCodeAt(i)) return 0;
  }
  return there === word.length ? 1 : -1;
}

/**
 * Is there a boundary line (`--b`, `-- b`, `--b--`) at `at`, which is a line start?
 * The offset just past its line end, 0 if there is none, -1 if more bytes are needed.
 */
export function boundaryLine(bytes: Buffer, at: number, end: number, names: readonly Buffer[]): number {
  const dashed = skipDashes(bytes, at, end);
  if (dashed === end) return dashed - at > MAX_PADDING ? 0 : -1;
  if (dashed - at < 2 || dashed - at > MAX_PADDING) return 0;
  const name = skipBlanks(bytes, dashed, end);
  if (name - dashed > MAX_PADDING) return 0;
  let undecided = false;
  for (const token of names) {
    const same = startsWith(bytes, name, end, token);
    const past = same > 0 ? closeOfBoundary(bytes, name + token.length, end) : same;
    if (past > 0) return past;
    undecided ||= past < 0;
  }
  return undecided ? -1 : 0;
}

function closeOfBoundary(bytes: Buffer, after: number, end: number): number {
  const dashed = skipDashes(bytes, after, end);
  let at = skipBlanks(bytes, dashed, end);
  if (dashed - after > MAX_PADDING || at - dashed > MAX_PADDING) return 0;
  if (at < end && bytes[at] === CR) at++;
  if (at >= end) return -1;
  return bytes[at] === LF ? at + 1 : 0;
}

function startsWith(bytes: Buffer, at: number, end: number, token: Buffer): -1 | 0 | 1 {
  for (let i = 0; i < token.length; i++) {
    if (at + i >= end) return -1;
    if (bytes[at + i] !== token[i]) return 0;
  }
  return 1;
}

/** Past the dashes at `from`, or past one more than there may be. */
function skipDashes(bytes: Buffer, from: number, end: number): number {
  const last = Math.min(end, from + MAX_PADDING + 1);
  let at = from;
  while (at < last && bytes[at] === DASH) at++;
  return at;
}

/** Past the blanks at `from`, or past one more than there may be. */
function skipBlanks(bytes: Buffer, from: number, end: number): number {
  const last = Math.min(end, from + MAX_PADDING + 1);
  let at = from;
  while (at < last && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}

/** Is the line at `at` a header (`Name: value`, or a stray HTTP status line)? 1 yes, 0 no, -1 more bytes are needed. */
export function headerLine(bytes: Buffer, at: number, end: number): -1 | 0 | 1 {
  const last = Math.min(end, at + MAX_NAME + 1);
  let after = at;
  while (after < last && isNameByte(bytes[after] ?? 0)) after++;
  if (after - at > MAX_NAME) return 0;
  if (after === at) return at === end ? -1 : 0;
  if (after < end && bytes[after] === SLASH) return startsLike(bytes, at, end, 'http/') > 0 ? 1 : 0;
  const colon = skipBlanks(bytes, after, end);
  if (colon - after > MAX_PADDING) return 0;
  if (colon === end) return -1;
  return bytes[colon] === COLON ? 1 : 0;
}

const isNameByte = (byte: number): boolean =>
  (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || byte === DASH;

const CONTENT = 'content-';
const LENGTH = 'length';
const TYPE = 'type';
const PLAIN_TEXT = 'text/plain';

/** Notes in `head` what the header line at..newline says, if it is Content-Length or Content-Type. */
export function readContentHeader(bytes: Buffer, at: number, newline: number, head: PartHead): void {
  if (startsLike(bytes, at, newline, CONTENT) <= 0) return;
  const length = valueOf(LENGTH, bytes, at + CONTENT.length, newline);
  if (length > 0) head.contentLength = wholeNumber(bytes, length, newline);
  const type = valueOf(TYPE, bytes, at + CONTENT.length, newline);
  if (type > 0) head.contentType = mediaType(bytes, type, newline);
}

/** Where the value begins, if `name` (lower case) and a colon are at `at`; else 0. */
function valueOf(name: string, bytes: Buffer, at: number, newline: number): number {
  if (startsLike(bytes, at, newline, name) <= 0) return 0;
  const colon = skipBlanks(bytes, at + name.length, newline);
  return bytes[colon] === COLON ? colon + 1 : 0;
}

/** The whole number that from..end holds besides blanks, of at most twelve digits; undefined if it holds anything else. */
function wholeNumber(bytes: Buffer, from: number, end: number): number | undefined {
  const first = skipBlanks(bytes, from, end);
  let value = 0;
  let at = first;
  for (; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (at === first || at - first > 12) return undefined;
  let rest = skipBlanks(bytes, at, end);
  if (rest < end && bytes[rest] === CR) rest++;
  return rest === end ? value : undefined;
}

/** The media type at from..end, in lower case and without parameters. Nearly all parts are plain text, which takes no string. */
function mediaType(bytes: Buffer, from: number, end: number): string {
  const type = skipBlanks(bytes, from, end);
  const past = type + PLAIN_TEXT.length;
  if (startsLike(bytes, type, end, PLAIN_TEXT) > 0 && (past === end || bytes[past] === CR)) return PLAIN_TEXT;
  return (bytes.toString('latin1', type, end).split(';', 1)[0] ?? '').trim().toLowerCase();
}
