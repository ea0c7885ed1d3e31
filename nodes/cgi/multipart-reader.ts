/**
 * Reads a `multipart/x-mixed-replace` stream as cameras really send it (facts/dahua-hanwha.md A2, A11): headers without a
 * blank line, a blank after the dashes of the boundary, lengths that are missing or wrong, text outside of any part.
 *
 * A part is handed over with the byte that completes it, never only with the next boundary, and what is handed over
 * depends on the bytes alone, never on how they were cut into chunks. The states:
 *  - `loose`: line by line, looking for a boundary or for a line that opens an item by itself;
 *  - `head`: header lines after a boundary; `blank`: the blank line that may end them;
 *  - `body`: a part with a declared length. If the bytes up to there are complete by themselves they are the part;
 *    if not, or if a boundary comes first, the length was wrong and the same bytes are read again in `loose`;
 *  - `item`: an item of unknown length, until it is complete, a boundary or another item begins, or the limit is reached.
 */
import { boundaryLine, headerLine, indexOfByte, startsLike } from './wire-lines';

const LF = 0x0a;
const CR = 0x0d;
const DASH = 0x2d;
const NOTHING = Buffer.alloc(0);
/** A longer line is no header. */
const MAX_HEADER = 8192;

export interface PartHead {
  /** Lower case, without parameters; `text/plain` where the part does not say. */
  contentType: string;
  /** Bytes, as declared; undefined where absent or not a number. */
  contentLength: number | undefined;
}

/** What the text parts of a stream are made of; the reader knows framing only. */
export interface TextFormat<T> {
  /** Does an item open at this line start? 1 yes, 0 no, -1 more bytes are needed. */
  opens(bytes: Buffer, at: number, end: number): -1 | 0 | 1;
  /**
   * The item of a part cut at its declared length: null for a part that is complete but holds none (a heartbeat),
   * undefined if the cut leaves something incomplete. A body with a line that starts with dashes is incomplete.
   */
  whole(body: Buffer): T | null | undefined;
  /** A scanner for an item that has just opened and whose length nobody declared. */
  scanner(): ItemScanner<T>;
}

/** Finds the end of one item in bytes that arrive piece by piece. */
export interface ItemScanner<T> {
  /** Looks at from..end, each byte once; `start` is where the item began. The offset just past it, or -1. */
  scan(bytes: Buffer, start: number, from: number, end: number): number;
  /** The item made of these bytes. `cut`: by the size limit or the end of the stream, possibly inside a line. */
  finish(body: Buffer, cut: boolean): T | undefined;
}

/** Sizes in bytes. */
export interface ReaderLimits {
  text: number;
  binary: number;
}

export const DEFAULT_LIMITS: ReaderLimits = { text: 1024 * 1024, binary: 8 * 1024 * 1024 };

export interface ReaderEvents<T> {
  item(item: T): void;
  /** A complete part that is not text; the buffer is the receiver's own. */
  binary?(body: Buffer, head: PartHead): void;
  /** A part exceeds its limit: of text, what fits was handed over; the rest is skipped. */
  tooLarge?(head: PartHead): void;
}

export class MultipartReader<T> {
  readonly #format: TextFormat<T>;
  readonly #events: ReaderEvents<T>;
  readonly #limits: ReaderLimits;
  readonly #boundaries: Buffer[];

  #buffer: Buffer = NOTHING;
  #at = 0;
  #end = 0;
  #state: 'loose' | 'head' | 'blank' | 'body' | 'item' = 'loose';
  #head: PartHead = { contentType: 'text/plain', contentLength: undefined };
  /** In `loose` and `item`: whether the next unread byte begins a line. */
  #lineStart = true;
  /** In `body` and `item`: offset of the first byte not yet looked at. */
  #seen = 0;
  #scanner: ItemScanner<T> | undefined;

  /** @param boundary as the Content-Type names it, with or without dashes; `myboundary` is understood besides */
  constructor(
    boundary: string | undefined,
    format: TextFormat<T>,
    events: ReaderEvents<T>,
    limits: ReaderLimits = DEFAULT_LIMITS,
  ) {
    this.#format = format;
    this.#events = events;
    this.#limits = limits;
    const declared = (boundary ?? '').replace(/^["\s-]+|["\s]+$/g, '');
    this.#boundaries = [...new Set([declared || 'myboundary', 'myboundary'])].map((name) => Buffer.from(name, 'latin1'));
  }

  /** Bytes held back for an unfinished part: at most the larger limit. */
  get held(): number {
    return this.#end - this.#at;
  }

  push(chunk: Buffer): void {
    this.#append(chunk);
    while (this.#step());
    if (this.#at === this.#end) this.#buffer = NOTHING;
  }

  /** The stream is over: an unfinished item is handed over as far as it came. The reader can be used again. */
  end(): void {
    if (this.#state === 'body' && this.#isText()) {
      this.#enterLoose(this.#at);
      while (this.#step());
    }
    if (this.#state === 'item') this.#finishItem(this.#end, true);
    this.#buffer = NOTHING;
    this.#enterLoose(0);
    this.#end = 0;
  }

  #append(chunk: Buffer): void {
    const rest = this.#end - this.#at;
    if (rest === 0) {
      this.#buffer = chunk;
      this.#seen -= this.#at;
      this.#at = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#buffer.length - this.#end < chunk.length) {
      // Room doubles, so that a part of n bytes in many chunks costs O(n) copying.
      const grown = Buffer.allocUnsafeSlow(Math.max(2048, (rest + chunk.length) * 2));
      this.#buffer.copy(grown, 0, this.#at, this.#end);
      this.#seen -= this.#at;
      this.#buffer = grown;
      this.#at = 0;
      this.#end = rest;
    }
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  /** One step forward; false when more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case 'loose':
        return this.#stepLoose();
      case 'head':
        return this.#stepHead();
      case 'blank':
        return this.#stepBlank();
      case 'body':
        return this.#stepBody();
      case 'item':
        return this.#stepItem();
    }
  }

  #stepLoose(): boolean {
    const bytes = this.#buffer;
    if (!this.#lineStart) {
      const newline = indexOfByte(bytes, LF, this.#at, this.#end);
      if (newline < 0) {
        this.#at = this.#end;
        return false;
      }
      this.#at = newline + 1;
      this.#lineStart = true;
    }
    let at = this.#at;
    while (at < this.#end && (bytes[at] === LF || bytes[at] === CR)) at++;
    this.#at = at;
    if (at === this.#end) return false;
    const boundary = bytes[at] === DASH ? boundaryLine(bytes, at, this.#end, this.#boundaries) : 0;
    if (boundary < 0) return false;
    if (boundary > 0) {
      this.#enterHead(boundary);
      return true;
    }
    const opens = this.#format.opens(bytes, at, this.#end);
    if (opens < 0) return false;
    if (opens > 0) {
      this.#state = 'item';
      this.#scanner = this.#format.scanner();
      this.#seen = at;
    }
    this.#lineStart = false;
    return true;
  }

  #stepHead(): boolean {
    const bytes = this.#buffer;
    const at = this.#at;
    const first = bytes[at];
    if (at === this.#end) return false;
    if (first === LF || first === CR) {
      this.#at = at + 1;
      if (first === LF) this.#state = 'blank';
      return true;
    }
    const boundary = first === DASH ? boundaryLine(bytes, at, this.#end, this.#boundaries) : 0;
    if (boundary < 0) return false;
    if (boundary > 0) {
      this.#enterHead(boundary);
      return true;
    }
    const kind = headerLine(bytes, at, this.#end);
    if (kind === 0) return this.#enterBody();
    const newline = kind < 0 ? -1 : indexOfByte(bytes, LF, at, this.#end);
    if (newline < 0) return this.#end - at > MAX_HEADER ? this.#enterBody() : false;
    this.#readHeader(at, newline);
    this.#at = newline + 1;
    return true;
  }

  /** A blank line ends the head, unless a content header follows: some sources double every line end. */
  #stepBlank(): boolean {
    const more = startsLike(this.#buffer, this.#at, this.#end, 'content-');
    if (more === 0) return this.#enterBody();
    if (more > 0) this.#state = 'head';
    return more > 0;
  }

  #stepBody(): boolean {
    const at = this.#at;
    const length = this.#head.contentLength ?? 0;
    const text = this.#isText();
    if (this.#end - at < length) {
      if (text && this.#boundaryAhead()) this.#enterLoose(at);
      return this.#state !== 'body';
    }
    const body = this.#buffer.subarray(at, at + length);
    if (!text) {
      this.#events.binary?.(Buffer.from(body), this.#head);
      this.#enterLoose(at + length);
      return true;
    }
    const item = this.#format.whole(body);
    this.#enterLoose(item === undefined ? at : at + length);
    if (item !== undefined && item !== null) this.#events.item(item);
    return true;
  }

  #stepItem(): boolean {
    const bytes = this.#buffer;
    const start = this.#at;
    const limit = start + this.#limits.text;
    const end = Math.min(this.#end, limit);
    while (this.#seen < end) {
      if (this.#lineStart) {
        const boundary = bytes[this.#seen] === DASH ? boundaryLine(bytes, this.#seen, this.#end, this.#boundaries) : 0;
        const another = boundary === 0 ? this.#format.opens(bytes, this.#seen, this.#end) : 0;
        if (boundary < 0 || another < 0) return false;
        if (boundary > 0 || another > 0) return this.#finishItem(this.#seen, false);
        this.#lineStart = false;
      }
      const newline = indexOfByte(bytes, LF, this.#seen, end);
      const upTo = newline < 0 ? end : newline + 1;
      const past = this.#scanner?.scan(bytes, start, this.#seen, upTo) ?? -1;
      if (past >= 0) return this.#finishItem(past, false);
      this.#seen = upTo;
      this.#lineStart = newline >= 0;
    }
    if (this.#end < limit) return false;
    this.#events.tooLarge?.(this.#head);
    this.#finishItem(limit, true);
    this.#lineStart = false;
    return true;
  }

  #finishItem(past: number, cut: boolean): true {
    const item = this.#scanner?.finish(this.#buffer.subarray(this.#at, past), cut);
    this.#enterLoose(past);
    if (item !== undefined) this.#events.item(item);
    return true;
  }

  #readHeader(from: number, newline: number): void {
    const line = this.#buffer.toString('latin1', from, newline);
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trimEnd().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'content-length') {
      this.#head.contentLength = /^\d{1,12}$/.test(value) ? Number(value) : undefined;
    } else if (name === 'content-type') {
      this.#head.contentType = (value.split(';', 1)[0] ?? '').trim().toLowerCase();
    }
  }

  #isText(): boolean {
    return !/^(image|video|audio|application\/octet-stream)/.test(this.#head.contentType);
  }

  #enterLoose(at: number): void {
    this.#state = 'loose';
    this.#at = at;
    this.#lineStart = true;
    this.#scanner = undefined;
  }

  #enterHead(at: number): void {
    this.#state = 'head';
    this.#at = at;
    this.#head = { contentType: 'text/plain', contentLength: undefined };
  }

  #enterBody(): true {
    const length = this.#head.contentLength;
    const text = this.#isText();
    if (length === undefined || length > (text ? this.#limits.text : this.#limits.binary)) {
      if (!text) this.#events.tooLarge?.(this.#head);
      this.#enterLoose(this.#at);
    } else {
      this.#state = 'body';
      this.#seen = this.#at;
    }
    return true;
  }

  /** Whether a boundary line has come before the declared length was reached. */
  #boundaryAhead(): boolean {
    const bytes = this.#buffer;
    let line = this.#seen;
    while (line < this.#end) {
      const boundary = bytes[line] === DASH ? boundaryLine(bytes, line, this.#end, this.#boundaries) : 0;
      if (boundary > 0) return true;
      if (boundary < 0) break;
      const newline = indexOfByte(bytes, LF, line, this.#end);
      if (newline < 0) break;
      line = newline + 1;
    }
    this.#seen = line;
    return false;
  }
}
