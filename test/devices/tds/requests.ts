/** What a client asks: login, batches, remote procedure calls with their parameters, transactions. */

export interface Login {
  user: string;
  password: string;
  database: string;
  app: string;
}

/** A statement with its parameters, however it was sent. */
export interface Statement {
  sql: string;
  /** By name, without the `@`. */
  params: Record<string, unknown>;
  /** sp_executesql, sp_prepare …; undefined for a plain batch. */
  procedure: string | undefined;
}

export type TransactionRequest = 'begin' | 'commit' | 'rollback' | 'save' | 'other';

const text = (bytes: Buffer) => bytes.toString('utf16le');

export function readLogin(body: Buffer): Login {
  const field = (at: number) => {
    const offset = body.readUInt16LE(at);
    return body.subarray(offset, offset + body.readUInt16LE(at + 2) * 2);
  };
  const password = Buffer.from(field(44)).map((byte) => {
    const plain = byte ^ 0xa5;
    return ((plain << 4) | (plain >> 4)) & 0xff;
  });
  return { user: text(field(40)), password: text(Buffer.from(password)), app: text(field(48)), database: text(field(68)) };
}

/** Requests start with headers (the transaction they belong to), whose total length comes first. */
const afterHeaders = (body: Buffer): Buffer => body.subarray(body.readUInt32LE(0));

export const readBatch = (body: Buffer): Statement => ({ sql: text(afterHeaders(body)), params: {}, procedure: undefined });

export function readTransaction(body: Buffer): TransactionRequest {
  switch (afterHeaders(body).readUInt16LE(0)) {
    case 5:
      return 'begin';
    case 7:
      return 'commit';
    case 8:
      return 'rollback';
    case 9:
      return 'save';
    default:
      return 'other';
  }
}

const PROCEDURES: Record<number, string> = { 10: 'sp_executesql', 11: 'sp_prepare', 12: 'sp_execute', 13: 'sp_prepexec', 15: 'sp_unprepare' };

export function readRpc(body: Buffer): Statement {
  const reader = new Reader(afterHeaders(body));
  const nameLength = reader.uint16();
  const procedure = nameLength === 0xffff ? (PROCEDURES[reader.uint16()] ?? 'unknown') : reader.unicode(nameLength);
  reader.uint16();
  const values: { name: string; value: unknown }[] = [];
  while (!reader.done) {
    const name = reader.unicode(reader.uint8());
    reader.uint8();
    values.push({ name: name.replace(/^@/, ''), value: reader.typed() });
  }
  if (procedure === 'sp_executesql') {
    const [sql, , ...params] = values;
    return { sql: asText(sql?.value), params: Object.fromEntries(params.map(({ name, value }) => [name, value])), procedure };
  }
  return { sql: asText(values.find(({ value }) => typeof value === 'string')?.value), params: Object.fromEntries(values.map(({ name, value }) => [name, value])), procedure };
}

/** What dates count from. */
const YEAR_ONE = new Date(0).setUTCFullYear(1, 0, 1);

const asText = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Reads the parameter types that clients of this pack send; any other is an error of the test. */
class Reader {
  #at = 0;
  constructor(private readonly bytes: Buffer) {}

  get done(): boolean {
    return this.#at >= this.bytes.length;
  }
  uint8(): number {
    return this.bytes.readUInt8(this.#at++);
  }
  uint16(): number {
    this.#at += 2;
    return this.bytes.readUInt16LE(this.#at - 2);
  }
  uint32(): number {
    this.#at += 4;
    return this.bytes.readUInt32LE(this.#at - 4);
  }
  take(length: number): Buffer {
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }
  unicode(characters: number): string {
    return text(this.take(characters * 2));
  }

  typed(): unknown {
    const type = this.uint8();
    switch (type) {
      case 0xe7: // nvarchar
      case 0xef: // nchar
        return this.#variable(true, text);
      case 0xa7: // varchar
      case 0xaf: // char
        return this.#variable(true, (bytes) => bytes.toString('latin1'));
      case 0xa5: // varbinary
        return this.#variable(false, (bytes) => Buffer.from(bytes));
      case 0x26: // int of any size
        return this.#short((bytes) => (bytes.length === 8 ? bytes.readBigInt64LE() : bytes.length === 1 ? bytes.readUInt8() : bytes.readIntLE(0, bytes.length)));
      case 0x68: // bit
        return this.#short((bytes) => bytes[0] === 1);
      case 0x6d: // float
        return this.#short((bytes) => (bytes.length === 4 ? bytes.readFloatLE() : bytes.readDoubleLE()));
      case 0x6a: // decimal
      case 0x6c: {
        const [, , scale] = this.take(3);
        const size = this.uint8();
        if (size === 0) return null;
        const sign = this.uint8() === 1 ? 1n : -1n;
        const digits = this.take(size - 1).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
        return Number(sign * digits) / 10 ** (scale ?? 0);
      }
      case 0x6f: // datetime
        return this.#short((bytes) => new Date(Date.UTC(1900, 0, 1 + bytes.readInt32LE(0)) + bytes.readUInt32LE(4) * (10 / 3)));
      case 0x2a: { // datetime2
        const scale = this.uint8();
        const size = this.uint8();
        if (size === 0) return null;
        const bytes = this.take(size);
        const days = bytes.readUIntLE(size - 3, 3);
        return new Date(YEAR_ONE + days * 86_400_000 + (bytes.readUIntLE(0, size - 3) / 10 ** scale) * 1000);
      }
      default:
        throw new Error(`parameter type 0x${type.toString(16)} is not known to this server`);
    }
  }

  /** A maximal length of 0xffff means that the value comes in chunks. */
  #variable(collation: boolean, convert: (bytes: Buffer) => unknown): unknown {
    const max = this.uint16();
    if (collation) this.take(5);
    if (max !== 0xffff) {
      const length = this.uint16();
      return length === 0xffff ? null : convert(this.take(length));
    }
    const total = this.bytes.readBigUInt64LE(this.#at);
    this.#at += 8;
    if (total === 0xffff_ffff_ffff_ffffn) return null;
    const chunks: Buffer[] = [];
    for (let length = this.uint32(); length > 0; length = this.uint32()) chunks.push(this.take(length));
    return convert(Buffer.concat(chunks));
  }

  #short(convert: (bytes: Buffer) => unknown): unknown {
    this.uint8();
    const length = this.uint8();
    return length === 0 ? null : convert(this.take(length));
  }
}
