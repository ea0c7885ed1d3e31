/** The tokens that answers are made of. */

export type TdsValue = string | number | boolean | null;

/** An error as SQL Server raises it: clients branch on the number, never on the text. */
export interface TdsError {
  number: number;
  message?: string;
  /** 11 to 16 are the statement's fault; 20 and above end the connection. */
  severity?: number;
}

const bVarchar = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'utf16le')]);
const usVarchar = (value: string) => Buffer.concat([uint16(value.length), Buffer.from(value, 'utf16le')]);
const COLLATION = Buffer.from([0x09, 0x04, 0xd0, 0x00, 0x34]);

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

const sized = (token: number, body: Buffer) => Buffer.concat([Buffer.of(token), uint16(body.length), body]);

export const loginAck = (): Buffer =>
  sized(0xad, Buffer.concat([Buffer.from([1, 0x74, 0, 0, 4]), bVarchar('Simulated SQL Server'), Buffer.from([16, 0, 0, 0])]));

export const databaseChange = (name: string): Buffer => sized(0xe3, Buffer.concat([Buffer.of(1), bVarchar(name), bVarchar('master')]));

export const packetSize = (): Buffer => sized(0xe3, Buffer.concat([Buffer.of(4), bVarchar('4096'), bVarchar('4096')]));

/** @param kind 8 begun, 9 committed, 10 rolled back */
export function transactionChange(kind: 8 | 9 | 10, descriptor: Buffer): Buffer {
  const none = Buffer.of(0);
  const id = Buffer.concat([Buffer.of(8), descriptor]);
  return sized(0xe3, Buffer.concat([Buffer.of(kind), ...(kind === 8 ? [id, none] : [none, id])]));
}

export const error = ({ number, message = `error ${number}`, severity = 16 }: TdsError): Buffer =>
  sized(0xaa, Buffer.concat([uint32(number), Buffer.from([1, severity]), usVarchar(message), bVarchar('SIM'), bVarchar(''), uint32(1)]));

const DONE = { batch: 0xfd, procedure: 0xfe, inProcedure: 0xff } as const;

/** @param flags 1 more follows, 2 error, 0x10 the count is valid, 0x20 attention acknowledged */
export function done(kind: keyof typeof DONE, flags: number, rows = 0): Buffer {
  const bytes = Buffer.alloc(13);
  bytes[0] = DONE[kind];
  bytes.writeUInt16LE(flags, 1);
  bytes.writeBigUInt64LE(BigInt(rows), 5);
  return bytes;
}

export const returnStatus = (): Buffer => Buffer.concat([Buffer.of(0x79), uint32(0)]);

type Column = 'int' | 'float' | 'bit' | 'text';

/** Columns take the type of their first value that is not null. */
export function rowSet(rows: readonly Record<string, TdsValue>[]): Buffer {
  const names = Object.keys(rows[0] ?? {});
  const columns = names.map((name) => columnType(rows.map((row) => row[name] ?? null)));
  const head = Buffer.concat([
    Buffer.of(0x81),
    uint16(names.length),
    ...names.map((name, i) => Buffer.concat([uint32(0), uint16(0x09), typeInfo(columns[i] ?? 'text'), bVarchar(name)])),
  ]);
  return Buffer.concat([
    head,
    ...rows.map((row) => Buffer.concat([Buffer.of(0xd1), ...names.map((name, i) => encode(columns[i] ?? 'text', row[name] ?? null))])),
  ]);
}

function columnType(values: TdsValue[]): Column {
  const first = values.find((value) => value !== null);
  if (typeof first === 'boolean') return 'bit';
  if (typeof first === 'number') return values.every((value) => value === null || Number.isInteger(value)) ? 'int' : 'float';
  return 'text';
}

function typeInfo(column: Column): Buffer {
  switch (column) {
    case 'int':
      return Buffer.from([0x26, 4]);
    case 'float':
      return Buffer.from([0x6d, 8]);
    case 'bit':
      return Buffer.from([0x68, 1]);
    case 'text':
      return Buffer.concat([Buffer.from([0xe7, 0xff, 0xff]), COLLATION]);
  }
}

function encode(column: Column, value: TdsValue): Buffer {
  if (column === 'text') {
    if (value === null) return Buffer.alloc(8, 0xff);
    const bytes = Buffer.from(String(value), 'utf16le');
    const total = Buffer.alloc(8);
    total.writeBigUInt64LE(BigInt(bytes.length));
    return Buffer.concat([total, ...(bytes.length > 0 ? [uint32(bytes.length), bytes] : []), uint32(0)]);
  }
  if (value === null) return Buffer.of(0);
  if (column === 'bit') return Buffer.of(1, value ? 1 : 0);
  const bytes = Buffer.alloc(column === 'int' ? 4 : 8);
  if (column === 'int') bytes.writeInt32LE(Number(value));
  else bytes.writeDoubleLE(Number(value));
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}
