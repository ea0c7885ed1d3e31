/** TDS packets: an 8-byte header each; a message is the packets up to the one that says it is the last. */

export const PACKET = { batch: 0x01, rpc: 0x03, response: 0x04, attention: 0x06, transaction: 0x0e, login: 0x10, prelogin: 0x12 } as const;

export interface TdsMessage {
  type: number;
  body: Buffer;
}

const HEADER = 8;
const LAST = 0x01;
const PAYLOAD = 4096 - HEADER;

/** Joins what comes from a socket into messages. */
export class MessageReader {
  #buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];

  /** @param chunk bytes from the client; @returns the messages that are complete now */
  push(chunk: Buffer): TdsMessage[] {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const messages: TdsMessage[] = [];
    while (this.#buffer.length >= HEADER && this.#buffer.length >= this.#buffer.readUInt16BE(2)) {
      const type = this.#buffer[0] ?? 0;
      const last = ((this.#buffer[1] ?? 0) & LAST) !== 0;
      const length = Math.max(HEADER, this.#buffer.readUInt16BE(2));
      this.#parts.push(this.#buffer.subarray(HEADER, length));
      this.#buffer = this.#buffer.subarray(length);
      if (last) messages.push({ type, body: Buffer.concat(this.#parts.splice(0)) });
    }
    return messages;
  }
}

/** A message cut into packets. */
export function packets(body: Buffer, type: number = PACKET.response): Buffer {
  const out: Buffer[] = [];
  for (let at = 0, id = 1; at === 0 || at < body.length; at += PAYLOAD, id++) {
    const part = body.subarray(at, at + PAYLOAD);
    const header = Buffer.from([type, at + PAYLOAD >= body.length ? LAST : 0, 0, 0, 0, 0, id & 0xff, 0]);
    header.writeUInt16BE(part.length + HEADER, 2);
    out.push(header, part);
  }
  return Buffer.concat(out);
}
