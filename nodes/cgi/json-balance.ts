/** Finds where a JSON object or array ends, in bytes that arrive piece by piece. It counts brackets outside of strings, no more. */
export class JsonBalance {
  readonly #doubleByte: boolean;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The byte before was the first of a two-byte character. */
  #lead = false;

  /** @param doubleByte for GB18030 and Big5, where the second byte of a character may look like a backslash */
  constructor(doubleByte = false) {
    this.#doubleByte = doubleByte;
  }

  /** Looks at from..end, which continues what was fed before. The offset just past the closing bracket, or -1. */
  feed(bytes: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (this.#inString) {
        this.#feedString(byte);
      } else if (byte === 0x22) {
        this.#inString = true;
      } else if (byte === 0x7b || byte === 0x5b) {
        this.#depth++;
      } else if ((byte === 0x7d || byte === 0x5d) && --this.#depth === 0) {
        return at + 1;
      }
    }
    return -1;
  }

  #feedString(byte: number): void {
    const second = this.#lead;
    this.#lead = this.#doubleByte && !second && byte > 0x80;
    // A raw line end cannot stand in a JSON string: the closing quote is missing.
    if (byte === 0x0a) this.#inString = this.#escaped = this.#lead = false;
    else if (this.#escaped) this.#escaped = false;
    else if (byte === 0x5c) this.#escaped = !second;
    else if (byte === 0x22) this.#inString = this.#lead = false;
  }
}
