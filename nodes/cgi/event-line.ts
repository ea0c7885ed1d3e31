/**
 * The text of `eventManager.cgi` parts: `Code=<code>;action=<action>;index=<n>[;data=<json>]` (facts/dahua-hanwha.md A3).
 * Never split on `;` or `=`: rule names hold both. What follows `data=` is JSON, whatever it contains.
 */
import type { TextDecode } from './charset';
import type { ItemScanner, TextFormat } from './multipart-reader';
import { JsonBalance } from './json-balance';
import { startsLike } from './wire-lines';

/** One event as the device wrote it. */
export interface EventLine {
  code: string;
  /** As sent: `Start`, `START`, `Pulse`, `Invite`. */
  action: string;
  index: number | undefined;
  /** Undefined where the event has none or `raw` holds what could not be parsed. */
  data: Record<string, unknown> | undefined;
  /** The text after `data=`, where it is not whole JSON. */
  raw: string | undefined;
  /** The text after `data=` as it came, for a fingerprint of the occurrence. */
  text: string;
}

/** The fields of a line before its data. */
interface Head {
  code: string;
  action: string;
  index: number | undefined;
  /** Offset of the text after `data=`; undefined for a line without. */
  dataAt: number | undefined;
  /** Of a line without data: offset of its line end. */
  end: number;
  /** Of a line without data: whether its last field looks whole. It may have been cut inside its action, or inside `index=`. */
  settled: boolean;
}

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const KNOWN_ACTION = /^(start|stop|pulse|state|invite|hangup)$/i;
const INTEGER = /^-?\d+$/;
/** How nearly all lines with data begin. The search in `readHead` reads these as well; it takes 5 % of an event's time more. */
const ORDINARY = /^Code=([^;=\s]{1,64});action=([^;=\s]{1,64});index=(\d{1,9});data=/;
const HEARTBEAT = /^\s*(heartbeat\s*)?$/i;

/**
 * Reads field by field up to `data=` or the line end. Each search goes on where the last one of its kind stopped, so that any
 * text takes linear time; a regular expression with this many optional blanks takes quadratic time on a line of blanks.
 */
function readHead(text: string): Head | undefined {
  const ordinary = ORDINARY.exec(text);
  if (ordinary) {
    return {
      code: ordinary[1] ?? '',
      action: ordinary[2] ?? '',
      index: Number(ordinary[3]),
      dataAt: ordinary[0].length,
      end: 0,
      settled: true,
    };
  }
  const head: Head = { code: '', action: '', index: undefined, dataAt: undefined, end: 0, settled: false };
  const lineEnd = Math.min(indexIn(text, '\n', 0), indexIn(text, '\r', 0));
  let equals = -1;
  for (let at = 0, nth = 0; ; nth++) {
    if (equals < at) equals = indexIn(text, '=', at);
    if (nth > 1 && equals < lineEnd && isName(text, at, equals, 'data')) {
      head.dataAt = equals + 1;
      return head;
    }
    const end = Math.min(indexIn(text, ';', at), lineEnd);
    const value = equals < end ? text.slice(equals + 1, end).trim() : '';
    if (nth < 2) {
      if (value === '' || !isName(text, at, equals, nth === 0 ? 'code' : 'action')) return undefined;
      if (nth === 0) head.code = value;
      else head.action = value;
    } else if (equals < end && isName(text, at, equals, 'index')) {
      head.index = INTEGER.test(value) ? Number(value) : undefined;
    }
    at = end + 1;
    if (end < lineEnd) continue;
    if (nth === 0) return undefined;
    head.end = end;
    head.settled = nth === 1 ? KNOWN_ACTION.test(head.action) : value !== '' && head.index !== undefined;
    return head;
  }
}

/** Offset of a character, or the length of the text where there is none. */
function indexIn(text: string, char: string, from: number): number {
  const found = text.indexOf(char, from);
  return found < 0 ? text.length : found;
}

/** Is text from..to `word` (lower case), in any case and with blanks around it? */
function isName(text: string, from: number, to: number, word: string): boolean {
  let at = from;
  while (at < to && isSpace(text.charCodeAt(at))) at++;
  if (to - at < word.length) return false;
  for (let i = 0; i < word.length; i++, at++) {
    if ((text.charCodeAt(at) | 0x20) !== word.charCodeAt(i)) return false;
  }
  while (at < to && isSpace(text.charCodeAt(at))) at++;
  return at === to;
}

const isSpace = (char: number): boolean => char === SPACE || char === TAB;

/** The event that this text is, whole to the last character; undefined if anything is missing, left over or not JSON. */
function parseWhole(text: string): EventLine | undefined {
  const head = readHead(text);
  if (!head) return undefined;
  if (head.dataAt === undefined) {
    return head.settled && text.slice(head.end).trim() === '' ? event(head, undefined, undefined, '') : undefined;
  }
  const rest = text.slice(head.dataAt);
  const data = parseObject(rest);
  return data && event(head, data, undefined, rest);
}

/** The event that this text begins with, its data kept as raw text if they are not whole. */
function parseCut(text: string, insideLine: boolean): EventLine | undefined {
  const head = readHead(text);
  if (!head) return undefined;
  if (head.dataAt === undefined) return insideLine && !head.settled ? undefined : event(head, undefined, undefined, '');
  const rest = text.slice(head.dataAt);
  if (rest.trim() === '') return event(head, undefined, undefined, '');
  const data = parseObject(rest);
  return data ? event(head, data, undefined, rest) : event(head, undefined, rest.trimEnd(), rest);
}

const event = (
  { code, action, index }: Head,
  data: Record<string, unknown> | undefined,
  raw: string | undefined,
  text: string,
): EventLine => ({ code, action, index, data, raw, text });

/** JSON that is not an object is kept under `data`, the name the line itself gives it. */
function parseObject(text: string): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : { data: value };
}

/** @param decode bytes to text, by the charset of the device; @param malformed told of lines that open like an event and are none */
export function eventFormat(decode: TextDecode, malformed: () => void = () => undefined): TextFormat<EventLine> {
  return new EventFormat(decode, malformed);
}

/** A class, so that the streams of all devices run the same compiled code. */
class EventFormat implements TextFormat<EventLine> {
  readonly #decode: TextDecode;
  readonly #malformed: () => void;
  readonly #doubleByte: boolean;

  constructor(decode: TextDecode, malformed: () => void) {
    this.#decode = decode;
    this.#malformed = malformed;
    // A sign whose second byte looks like a backslash, in GB18030 and in Big5.
    this.#doubleByte = !decode(Buffer.of(0xb5, BACKSLASH)).includes('\\');
  }

  opens(bytes: Buffer, at: number, end: number): -1 | 0 | 1 {
    return opensEvent(bytes, at, end);
  }

  whole(body: Buffer): EventLine | null | undefined {
    const text = this.#decode(body);
    const first = text.charCodeAt(0) | 0x20;
    // 'c' of Code; anything else can only be a heartbeat here.
    if (first === 0x63) return parseWhole(text);
    return HEARTBEAT.test(text) ? null : undefined;
  }

  scanner(): ItemScanner<EventLine> {
    return new EventScanner(this.#decode, this.#malformed, this.#doubleByte);
  }
}

/** `Code` and, after optional blanks, `=`. */
function opensEvent(bytes: Buffer, at: number, end: number): -1 | 0 | 1 {
  const word = startsLike(bytes, at, end, 'code');
  if (word <= 0) return word;
  for (let i = at + 4; i < end; i++) {
    if (bytes[i] === 0x3d) return 1;
    if (bytes[i] !== 0x20 || i - at > 12) return 0;
  }
  return -1;
}

/** The end of an event whose length nobody declared: its line end, or the end of its JSON. */
class EventScanner implements ItemScanner<EventLine> {
  readonly #decode: TextDecode;
  readonly #malformed: () => void;
  readonly #balance: JsonBalance;
  #phase: 'head' | 'data' | 'json' | 'broken' = 'head';
  /** How much of `;data` the head just had. */
  #matched = 0;
  #newlines = 0;
  #whole: EventLine | undefined;

  constructor(decode: TextDecode, malformed: () => void, doubleByte: boolean) {
    this.#decode = decode;
    this.#malformed = malformed;
    this.#balance = new JsonBalance(doubleByte);
  }

  scan(bytes: Buffer, start: number, from: number, end: number): number {
    switch (this.#phase) {
      case 'head':
        return this.#scanHead(bytes, start, from, end);
      case 'data':
        return this.#scanData(bytes, start, from, end);
      case 'json':
        return this.#scanJson(bytes, start, from, end);
      case 'broken':
        return this.#scanBroken(bytes, from, end);
    }
  }

  finish(body: Buffer, cut: boolean): EventLine | undefined {
    const event = this.#whole ?? parseCut(this.#decode(body), cut);
    if (!event) this.#malformed();
    return event;
  }

  #scanHead(bytes: Buffer, start: number, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === LF) return at + 1;
      if (byte === SEMICOLON) {
        this.#matched = 1;
      } else if (this.#matched === FIELD.length && byte === EQUALS) {
        this.#phase = 'data';
        return this.#scanData(bytes, start, at + 1, end);
      } else if ((byte | 0x20) === FIELD.charCodeAt(this.#matched)) {
        this.#matched++;
      } else if (!isSpace(byte) || (this.#matched > 1 && this.#matched < FIELD.length)) {
        this.#matched = 0;
      }
    }
    return -1;
  }

  /** Blanks between `data=` and its JSON; a blank line instead of JSON is an event with empty data. */
  #scanData(bytes: Buffer, start: number, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === LF && ++this.#newlines === 2) return at + 1;
      if (isBlank(byte)) continue;
      this.#newlines = 0;
      this.#phase = byte === 0x7b || byte === 0x5b ? 'json' : 'broken';
      return this.scan(bytes, start, at, end);
    }
    return -1;
  }

  #scanJson(bytes: Buffer, start: number, from: number, end: number): number {
    const past = this.#balance.feed(bytes, from, end);
    if (past < 0) return -1;
    this.#whole = parseWhole(this.#decode(bytes.subarray(start, past)));
    if (this.#whole) return past;
    this.#phase = 'broken';
    return this.#scanBroken(bytes, past, end);
  }

  /** Not JSON after all: a blank line is the only end that it can have by itself. */
  #scanBroken(bytes: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === LF && ++this.#newlines === 2) return at + 1;
      if (!isBlank(byte)) this.#newlines = 0;
    }
    return -1;
  }
}

const FIELD = ';data';
const isBlank = (byte: number): boolean => isSpace(byte) || byte === CR || byte === LF;
