/**
 * Events read per second from the bytes of an eventManager stream, against a hand-written reader that trusts every byte:
 * the most that framing, text and JSON.parse can reach. Ours must reach 0.8 of it.
 */
import { finished } from 'node:stream/promises';
import { createRequire } from 'node:module';
import { Dicer as FastifyDicer } from '@fastify/busboy';
import { decoder } from '../../nodes/cgi/charset';
import { eventFormat } from '../../nodes/cgi/event-line';
import { MultipartReader } from '../../nodes/cgi/multipart-reader';
import { compare, type Contestant, type Row } from './lib/compare';
import { inProcesses } from './lib/in-processes';

export const name = 'parser: reading a stream of events, about 1 KB each';

const EVENTS = 4000;
const HEARTBEAT_EVERY = 20;

/** As current firmware frames it (facts/dahua-hanwha.md A2). */
function stream(): Buffer {
  const parts: string[] = [];
  for (let nth = 0; nth < EVENTS; nth++) {
    const body = `Code=CrossLineDetection;action=${nth % 2 ? 'Stop' : 'Start'};index=${nth % 16};data=${json(crossing(nth))}\n`;
    parts.push(`--myboundary\r\nContent-Type: text/plain\r\nContent-Length:${Buffer.byteLength(body)}\r\n\r\n${body}\r\n\r\n`);
    if (nth % HEARTBEAT_EVERY === 0) parts.push('\r\n--myboundary\r\nContent-Type: text/plain\r\nContent-Length:9\r\n\r\nHeartbeat\r\n');
  }
  return Buffer.from(`${parts.join('')}--myboundary--\r\n`);
}

const crossing = (nth: number): unknown => ({
  Class: 'Normal',
  CountInGroup: 1,
  DetectLine: [
    [nth % 8192, 4096],
    [7210, 3520],
  ],
  Direction: nth % 3 ? 'LeftToRight' : 'RightToLeft',
  EventID: 10_000 + nth,
  GroupID: nth,
  Mark: 0,
  Name: 'Entrada norte',
  Object: {
    Action: 'Appear',
    BoundingBox: [2032, 1712, 2752, (3000 + nth) % 8192],
    Center: [2392, 2384],
    Confidence: 0,
    FrameSequence: 1_203_220 + nth,
    ObjectID: 7700 + nth,
    ObjectType: 'Human',
    RelativeID: 0,
    Speed: 0,
  },
  PTS: 42_951_682_690 + nth * 40,
  RuleID: 1,
  Sequence: 0,
  Track: [],
  UTC: 1_700_000_000 + nth,
  UTCMS: nth % 1000,
});

const json = (value: unknown): string => JSON.stringify(value, null, 3).replace(/^( *"(?:[^"\\]|\\.)*"):/gm, '$1 :');

interface TrustedEvent {
  code: string;
  action: string;
  index: number;
  data: unknown;
}

const LINE = /^Code=([^;]+);action=([^;]+);index=(\d+);data=/;

function trustedEvent(text: string): TrustedEvent | undefined {
  const head = LINE.exec(text);
  if (!head) return undefined;
  return { code: head[1]!, action: head[2]!, index: Number(head[3]), data: JSON.parse(text.slice(head[0].length)) };
}

/** Content-Length framing and no more: every part has its headers in this order, a blank line, and the right length. */
function trustingReader(receive: (event: TrustedEvent) => void): (chunk: Buffer) => void {
  const blankLine = Buffer.from('\r\n\r\n');
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (;;) {
      const boundary = bytes.indexOf(0x2d, at);
      const headEnd = boundary < 0 ? -1 : bytes.indexOf(blankLine, boundary);
      if (headEnd < 0) break;
      const head = bytes.toString('latin1', boundary, headEnd);
      const start = headEnd + blankLine.length;
      const end = start + Number(head.slice(head.lastIndexOf(':') + 1));
      if (end > bytes.length) break;
      const event = trustedEvent(bytes.toString('utf8', start, end));
      if (event) receive(event);
      at = end;
    }
    rest = bytes.subarray(at);
  };
}

/**
 * What lives as long as its camera's connection does: the reader, and the event that came last. Made anew for every
 * round they would be collected, and with them the shapes that V8 has compiled their code for.
 */
class Stream {
  #count = 0;
  #last: unknown;
  readonly #push: (chunks: readonly Buffer[]) => void;

  constructor(open: (receive: (event: unknown) => void) => (chunks: readonly Buffer[]) => void) {
    this.#push = open((event) => {
      this.#count++;
      this.#last = event;
    });
  }

  read(chunks: readonly Buffer[]): void {
    this.#count = 0;
    this.#push(chunks);
    if (this.#last !== undefined) expectAll(this.#count);
  }
}

function expectAll(count: number): void {
  if (count !== EVENTS) throw new Error(`${count} of ${EVENTS} events were read`);
}

const trusting = (): Stream =>
  new Stream((receive) => {
    const push = trustingReader(receive);
    return (chunks) => chunks.forEach(push);
  });

const ours = (): Stream =>
  new Stream((receive) => {
    const reader = new MultipartReader('myboundary', eventFormat(decoder('auto')), { item: receive });
    return (chunks) => chunks.forEach((chunk) => reader.push(chunk));
  });

type DicerClass = typeof FastifyDicer;
// It has no types; @fastify/busboy's is a fork of it.
const MscdexDicer = createRequire(__filename)('dicer') as DicerClass;

async function dicer(Class: DicerClass, chunks: readonly Buffer[], parse: boolean): Promise<void> {
  let count = 0;
  const reader = new Class({ boundary: 'myboundary' });
  reader.on('part', (part) => {
    const pieces: Buffer[] = [];
    let length = 0;
    part.on('data', (piece: Buffer) => {
      length += piece.length;
      if (parse) pieces.push(piece);
    });
    part.on('end', () => {
      if (parse ? trustedEvent(Buffer.concat(pieces).toString()) : length > 100) count++;
    });
  });
  const done = finished(reader, { readable: false });
  for (const chunk of chunks) {
    if (!reader.write(chunk)) await new Promise((drained) => reader.once('drain', drained));
  }
  reader.end();
  await done;
  await new Promise(setImmediate);
  expectAll(count);
}

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, nth) => bytes.subarray(nth * size, (nth + 1) * size));
}

export const run = (): Promise<Row[]> => inProcesses(__filename, 5);

export function measure(): Promise<Row[]> {
  const bytes = stream();
  const contestants = [16 * 1024, 1460].flatMap((size): Contestant[] => {
    const chunks = cut(bytes, size);
    const ceiling = `ceiling, ${size} B chunks`;
    const [trustingStream, ourStream] = [trusting(), ours()];
    return [
      { case: ceiling, work: () => trustingStream.read(chunks), against: ceiling },
      { case: `ours, ${size} B chunks`, work: () => ourStream.read(chunks), against: ceiling },
      { case: `dicer, framing only, ${size} B chunks`, work: () => dicer(MscdexDicer, chunks, false), against: ceiling },
      { case: `dicer, with JSON, ${size} B chunks`, work: () => dicer(MscdexDicer, chunks, true), against: ceiling },
      { case: `@fastify/busboy's, framing only, ${size} B chunks`, work: () => dicer(FastifyDicer, chunks, false), against: ceiling },
      { case: `@fastify/busboy's, with JSON, ${size} B chunks`, work: () => dicer(FastifyDicer, chunks, true), against: ceiling },
    ];
  });
  const figure = (seconds: number): string =>
    `${Math.round(EVENTS / seconds / 1000)} k events/s, ${Math.round(bytes.length / seconds / 1e6)} MB/s`;
  return compare(contestants, { figure, rounds: 15 });
}
