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
import { boundaryLine, headerLine, indexOfByte, readContentHeader, startsLike } from './wire-lines';

const LF = 0x0a;
const CR = 0x0d;
const DASH = 0x2d;
const PLAIN_TEXT = 'text/plain';
const NOTHING = Buffer.alloc(0);
/** A longer line is no header. */
const MAX_HEADER = 8192;
/** Room for unfinished bytes that is worth keeping between parts. */
const KEPT_ROOM = 64 * 1024;

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

  /** What came and is not read yet, from #at; the last chunk, or a view of #room from its beginning. */
  #buffer: Buffer = NOTHING;
  #at = 0;
  /** Where chunks are joined, and whether #buffer is a view of it. */
  #room: Buffer = NOTHING;
  #joined = false;
  #state: 'loose' | 'head' | 'blank' | 'body' | 'item' = 'loose';
  #head: PartHead = { contentType: PLAIN_TEXT, contentLength: undefined };
  /** In `loose` and `item`: whether the next byte to be looked at begins a line. */
  #lineStart = true;
  /** In `head`, `body` and `item`: offset of the first byte not yet looked at. */
  #seen = 0;
  #scanner: ItemScanner<T> | undefined;
  /** A length of this stream was wrong: look for a boundary before trusting the next, so that no byte is read too often. */
  #wrongLengths = false;

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
    return this.#buffer.length - this.#at;
  }

  /** The chunk is looked at, and not written to, until the next one comes. */
  push(chunk: Buffer): void {
    this.#append(chunk);
    while (this.#step());
    if (this.held === 0) this.#release();
  }

  /** The stream is over: an unfinished item is handed over as far as it came. The reader can be used again. */
  end(): void {
    if (this.#state === 'body' && this.#isText()) {
      this.#enterLoose(this.#at);
      while (this.#step());
    }
    // What may have become a boundary is not part of the item.
    const past = this.#lineStart ? this.#seen : this.#buffer.length;
    if (this.#state === 'item') this.#finishItem(past, true);
    this.#release();
    this.#enterLoose(0);
  }

  #release(): void {
    this.#rebase(NOTHING, false);
    if (this.#room.length > KEPT_ROOM) this.#room = NOTHING;
  }

  /** The buffer always ends with the last byte that came: a search in it finds nothing stale. */
  #append(chunk: Buffer): void {
    const held = this.held;
    if (held === 0) {
      this.#rebase(chunk, false);
      return;
    }
    const size = held + chunk.length;
    const past = this.#buffer.length + chunk.length;
    if (this.#joined && past <= this.#room.length) {
      this.#room.set(chunk, this.#buffer.length);
      this.#buffer = this.#room.subarray(0, past);
      return;
    }
    // At least half of the room is free after each move, so that a part of n bytes in many chunks costs O(n) copying.
    const fits = size * 2 <= this.#room.length && (this.#room.length <= KEPT_ROOM || size * 8 > this.#room.length);
    const room = fits ? this.#room : Buffer.allocUnsafeSlow(size * 2 + 4096);
    room.set(this.#buffer.subarray(this.#at));
    room.set(chunk, held);
    this.#room = room;
    this.#rebase(room.subarray(0, size), true);
  }

  /** Goes on in a buffer that begins with what is held of the one before. */
  #rebase(buffer: Buffer, joined: boolean): void {
    this.#buffer = buffer;
    this.#joined = joined;
    this.#seen -= this.#at;
    this.#at = 0;
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
    const end = bytes.length;
    if (!this.#lineStart) {
      const newline = bytes.indexOf(LF, this.#at);
      if (newline < 0) {
        this.#at = end;
        return false;
      }
      this.#at = newline + 1;
      this.#lineStart = true;
    }
    let at = this.#at;
    while (at < end && (bytes[at] === LF || bytes[at] === CR)) at++;
    this.#at = at;
    if (at === end) return false;
    const boundary = bytes[at] === DASH ? boundaryLine(bytes, at, end, this.#boundaries) : 0;
    if (boundary < 0) return false;
    if (boundary > 0) {
      this.#enterHead(boundary);
      return true;
    }
    const opens = this.#format.opens(bytes, at, end);
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
    const end = bytes.length;
    const at = this.#at;
    if (at === end) return false;
    const first = bytes[at];
    if (first === LF || first === CR) {
      this.#at = at + 1;
      if (first === LF) this.#state = 'blank';
      return true;
    }
    const boundary = first === DASH ? boundaryLine(bytes, at, end, this.#boundaries) : 0;
    if (boundary < 0) return false;
    if (boundary > 0) {
      this.#enterHead(boundary);
      return true;
    }
    const kind = headerLine(bytes, at, end);
    if (kind === 0) return this.#enterBody();
    const newline = kind < 0 ? -1 : bytes.indexOf(LF, Math.max(at, this.#seen));
    const longest = Math.min(MAX_HEADER, this.#limits.text);
    if ((newline < 0 ? end : newline) - at > longest) return this.#enterBody();
    if (newline < 0) {
      if (kind > 0) this.#seen = end;
      return false;
    }
    readContentHeader(bytes, at, newline, this.#head);
    this.#at = newline + 1;
    return true;
  }

  /** A blank line ends the head, unless a content header follows: some sources double every line end. */
  #stepBlank(): boolean {
    const more = startsLike(this.#buffer, this.#at, this.#buffer.length, 'content-');
    if (more === 0) return this.#enterBody();
    if (more > 0) this.#state = 'head';
    return more > 0;
  }

  #stepBody(): boolean {
    const at = this.#at;
    const past = at + (this.#head.contentLength ?? 0);
    const whole = past <= this.#buffer.length;
    if (!this.#isText()) {
      if (!whole) return false;
      const body = Buffer.from(this.#buffer.subarray(at, past));
      const head = this.#head;
      this.#enterLoose(past);
      this.#events.binary?.(body, head);
      return true;
    }
    if ((!whole || this.#wrongLengths) && this.#boundaryBefore(past)) {
      this.#enterLoose(at);
      return true;
    }
    if (!whole) return false;
    const item = this.#format.whole(this.#buffer.subarray(at, past));
    if (item === undefined) this.#wrongLengths = true;
    this.#enterLoose(item === undefined ? at : past);
    if (item !== undefined && item !== null) this.#events.item(item);
    return true;
  }

  #stepItem(): boolean {
    const bytes = this.#buffer;
    const start = this.#at;
    const limit = start + this.#limits.text;
    const end = Math.min(bytes.length, limit);
    while (this.#seen < end) {
      if (this.#lineStart) {
        const boundary = bytes[this.#seen] === DASH ? boundaryLine(bytes, this.#seen, end, this.#boundaries) : 0;
        const another = boundary === 0 ? this.#format.opens(bytes, this.#seen, end) : 0;
        if (boundary > 0 || another > 0) return this.#finishItem(this.#seen, false);
        if (boundary < 0 || another < 0) break;
        this.#lineStart = false;
      }
      const newline = indexOfByte(bytes, LF, this.#seen, end);
      const upTo = newline < 0 ? end : newline + 1;
      const past = this.#scanner?.scan(bytes, start, this.#seen, upTo) ?? -1;
      if (past >= 0) return this.#finishItem(past, false);
      this.#seen = upTo;
      this.#lineStart = newline >= 0;
    }
    return bytes.length < limit ? false : this.#finishItem(this.#seen, true, true);
  }

  #finishItem(past: number, cut: boolean, tooLarge = false): true {
    const body = this.#buffer.subarray(this.#at, past);
    const scanner = this.#scanner;
    this.#enterLoose(past, !tooLarge || this.#lineStart);
    if (tooLarge) this.#events.tooLarge?.(this.#head);
    const item = scanner?.finish(body, cut);
    if (item !== undefined) this.#events.item(item);
    return true;
  }

  #isText(): boolean {
    const type = this.#head.contentType;
    return type === PLAIN_TEXT || !/^(image|video|audio|application\/octet-stream)/.test(type);
  }

  #enterLoose(at: number, lineStart = true): void {
    this.#state = 'loose';
    this.#at = at;
    this.#lineStart = lineStart;
    this.#scanner = undefined;
  }

  #enterHead(at: number): void {
    this.#state = 'head';
    this.#at = at;
    this.#seen = at;
    this.#head = { contentType: PLAIN_TEXT, contentLength: undefined };
  }

  #enterBody(): true {
    const length = this.#head.contentLength;
    const text = this.#isText();
    if (length === undefined || length > (text ? this.#limits.text : this.#limits.binary)) {
      this.#enterLoose(this.#at);
      if (!text) this.#events.tooLarge?.(this.#head);
    } else {
      this.#state = 'body';
      this.#seen = this.#at;
    }
    return true;
  }

  /** Whether a boundary line comes before the offset at which the declared length ends. Each byte is looked at once. */
  #boundaryBefore(past: number): boolean {
    const bytes = past < this.#buffer.length ? this.#buffer.subarray(0, past) : this.#buffer;
    for (;;) {
      const dash = bytes.indexOf(DASH, this.#seen);
      this.#seen = dash < 0 ? bytes.length : dash;
      if (dash < 0) return false;
      const atLineStart = dash === this.#at || bytes[dash - 1] === LF;
      const boundary = atLineStart ? boundaryLine(bytes, dash, bytes.length, this.#boundaries) : 0;
      if (boundary !== 0) return boundary > 0;
      this.#seen = dash + 1;
    }
  }
}
