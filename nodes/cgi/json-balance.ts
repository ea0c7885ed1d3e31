/** Finds where a JSON object or array ends, in bytes that arrive piece by piece. It counts brackets outside of strings, no more. */
export class JsonBalance {
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Looks at from..end, which continues what was fed before. The offset just past the closing bracket, or -1. */
  feed(bytes: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === 0x5c) this.#escaped = true;
        // A raw line end cannot stand in a JSON string: the closing quote is missing.
        else if (byte === 0x22 || byte === 0x0a) this.#inString = false;
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
}
