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

const HEAD =
  /^code\s*=\s*([^;\r\n]*[^;\s])\s*;\s*action\s*=\s*([^;\r\n]*[^;\s])\s*(?:;\s*index\s*=\s*(-?\d+)\s*)?((?:;(?!\s*data\s*=)[^;\r\n]*)*)(?:;\s*data\s*=|(?=\s*$|\r?\n))/i;
const INDEX_AMONG_OTHERS = /;\s*index\s*=\s*(-?\d+)/i;
const KNOWN_ACTION = /^(start|stop|pulse|state|invite|hangup)$/i;
const HEARTBEAT = /^\s*(heartbeat\s*)?$/i;

/** The event that this text is, whole to the last character; undefined if anything is missing, left over or not JSON. */
function parseWhole(text: string): EventLine | undefined {
  const head = HEAD.exec(text);
  if (!head) return undefined;
  const rest = text.slice(head[0].length);
  if (head[0].endsWith('=') && rest.trim() !== '') {
    const data = parseObject(rest);
    return data && event(head, data, undefined, rest);
  }
  if (rest.trim() !== '' || !surelyWhole(head)) return undefined;
  return event(head, undefined, undefined, '');
}

/** The event that this text begins with, its data kept as raw text if they are not whole. */
function parseCut(text: string, insideLine: boolean): EventLine | undefined {
  const head = HEAD.exec(text);
  if (!head) return undefined;
  const rest = text.slice(head[0].length);
  if (!head[0].endsWith('=')) return insideLine && !surelyWhole(head) ? undefined : event(head, undefined, undefined, '');
  if (rest.trim() === '') return event(head, undefined, undefined, '');
  const data = parseObject(rest);
  return data ? event(head, data, undefined, rest) : event(head, undefined, rest.trimEnd(), rest);
}

/** A line without index may have been cut inside its action; doorbells do leave the index out. */
const surelyWhole = (head: RegExpExecArray): boolean => head[3] !== undefined || KNOWN_ACTION.test(head[2] ?? '');

function event(
  head: RegExpExecArray,
  data: Record<string, unknown> | undefined,
  raw: string | undefined,
  text: string,
): EventLine {
  const index = head[3] ?? (head[4] ? INDEX_AMONG_OTHERS.exec(head[4])?.[1] : undefined);
  return {
    code: head[1] ?? '',
    action: head[2] ?? '',
    index: index === undefined ? undefined : Number(index),
    data,
    raw,
    text,
  };
}

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
  return {
    opens: opensEvent,
    whole(body) {
      const text = decode(body);
      const first = text.charCodeAt(0) | 0x20;
      // 'c' of Code; anything else can only be a heartbeat here.
      if (first === 0x63) return parseWhole(text);
      return HEARTBEAT.test(text) ? null : undefined;
    },
    scanner: () => new EventScanner(decode, malformed),
  };
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

const DATA = /;\s*data\s*=$/i;
const LF = 0x0a;

/** The end of an event whose length nobody declared: its line end, or the end of its JSON. */
class EventScanner implements ItemScanner<EventLine> {
  readonly #decode: TextDecode;
  readonly #malformed: () => void;
  readonly #balance = new JsonBalance();
  #phase: 'head' | 'data' | 'json' | 'broken' = 'head';
  #newlines = 0;

  constructor(decode: TextDecode, malformed: () => void) {
    this.#decode = decode;
    this.#malformed = malformed;
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
    const event = parseCut(this.#decode(body), cut);
    if (!event) this.#malformed();
    return event;
  }

  #scanHead(bytes: Buffer, start: number, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      if (bytes[at] === LF) return at + 1;
      if (bytes[at] === 0x3d && DATA.test(bytes.toString('latin1', Math.max(start, at - 16), at + 1))) {
        this.#phase = 'data';
        return this.#scanData(bytes, start, at + 1, end);
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
    const text = this.#decode(bytes.subarray(start, past));
    if (parseObject(text.slice(HEAD.exec(text)?.[0].length ?? 0))) return past;
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

const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === LF;
