import { describe, expect, it, vi } from 'vitest';
import { decoder } from '../../../nodes/cgi/charset';
import { eventFormat, type EventLine } from '../../../nodes/cgi/event-line';
import { MultipartReader, type TextFormat } from '../../../nodes/cgi/multipart-reader';
import * as lines from '../../../nodes/cgi/wire-lines';
import { heartbeat, line, part } from './support/parts';
import { cut } from './support/stream-reading';

const work = vi.hoisted(() => ({ calls: 0, bytes: 0 }));

/** Counts what the questions about lines are asked; each looks at a bounded number of bytes (see below). */
vi.mock(import('../../../nodes/cgi/wire-lines'), async (load) => {
  const original = await load();
  return {
    ...original,
    boundaryLine: (...args: Parameters<typeof original.boundaryLine>) => (work.calls++, original.boundaryLine(...args)),
    headerLine: (...args: Parameters<typeof original.headerLine>) => (work.calls++, original.headerLine(...args)),
    startsLike: (...args: Parameters<typeof original.startsLike>) => (work.calls++, original.startsLike(...args)),
  };
});

/** What the reader calls on buffers that costs by the byte. */
interface BufferWork {
  indexOf: (this: Buffer, value: Buffer | number, from?: number) => number;
  toString: (this: Buffer, encoding?: BufferEncoding, start?: number, end?: number) => string;
  set: (this: Buffer, source: Buffer, at?: number) => void;
}

/** Counts the bytes that are searched, copied or turned into text inside of Node. No spies: they keep each call. */
function countBuffers(): () => void {
  const prototype = Buffer.prototype as BufferWork;
  const { indexOf, toString, set } = prototype;
  prototype.indexOf = function (value, from = 0) {
    const found = indexOf.call(this, value, from);
    work.calls++;
    work.bytes += (found < 0 ? this.length : found + 1) - from;
    return found;
  };
  prototype.toString = function (this: Buffer, encoding, start = 0, end = this.length) {
    work.calls++;
    work.bytes += end - start;
    return toString.call(this, encoding, start, end);
  };
  prototype.set = function (source, at) {
    work.calls++;
    work.bytes += source.length;
    set.call(this, source, at);
  };
  return () => Object.assign(prototype, { indexOf, toString, set });
}

/** The event format, with the bytes that it is given counted; a body counts twice, for its text and for its JSON. */
function countingFormat(): TextFormat<EventLine> {
  const format = eventFormat(decoder('auto'));
  return {
    opens: (bytes, at, end) => (work.calls++, format.opens(bytes, at, end)),
    whole: (body) => ((work.bytes += 2 * body.length), format.whole(body)),
    scanner: () => {
      const scanner = format.scanner();
      return {
        scan: (bytes, start, from, end) => {
          work.calls++;
          work.bytes += end - from;
          return scanner.scan(bytes, start, from, end);
        },
        finish: (body, isCut) => ((work.bytes += 2 * body.length), scanner.finish(body, isCut)),
      };
    },
  };
}

/** Calls and bytes of reading the stream, per byte of it. */
function measure(chunks: readonly Buffer[], limit: number): { calls: number; bytes: number } {
  const reader = new MultipartReader('myboundary', countingFormat(), { item: () => undefined }, { text: limit, binary: limit });
  work.calls = work.bytes = 0;
  const restore = countBuffers();
  try {
    for (const chunk of chunks) reader.push(chunk);
    reader.end();
  } finally {
    restore();
  }
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  return { calls: work.calls / total, bytes: work.bytes / total };
}

const SIZE = 1 << 20;
const filled = (unit: string | Buffer, before = ''): Buffer => Buffer.concat([Buffer.from(before), Buffer.alloc(SIZE, unit)]);
const head = (length: number | string): string => `--myboundary\r\nContent-Length: ${length}\r\n\r\n`;

const STREAMS: Record<string, Buffer> = {
  'sound parts': filled(Buffer.concat([part(line('A', 'Start', 0, { a: ['b', 'c'] })), heartbeat(), part(line('B', 'Stop', 1))])),
  'events without framing': filled(line('A', 'Start', 0, { a: ['b', 'c'] })),
  ...Object.fromEntries(
    [
      ...['}\n\n', '"', '"\n', 'Code=', 'Code=\n', 'Code', 'Code ', '--', '--\n', '-- ', '{', '[', ' ', '\t', '\r', '\n', '\r\n', ';', '=', '\\'],
      ...['--myboundary', '--myboundary\n', '--myboundary\r', '\n--', '\n--myboundary ', 'Content-', '\nContent-', 'Content-Length: 9\r\n'],
      ...['Heartbeat', 'Heartbeat\n', 'heart', 'a', 'a ', 'a:', 'HTTP/', ';data', ';data=', 'Code=A;action=Start;index=0;', 'é'],
    ].map((unit) => [`${JSON.stringify(unit)} over and over`, filled(unit)]),
  ),
  'a header line without end': filled('x', '--myboundary\nX-Name: '),
  'a header name without end': filled('x', '--myboundary\n'),
  'blanks after a header name': filled(' ', '--myboundary\nX'),
  'headers without end': filled('X: y\n', '--myboundary\n'),
  'heads without body': filled('--myboundary\nX'),
  'one line of a declared length': filled('x', head(SIZE)),
  'dashes of a declared length': filled('\n--', head(SIZE)),
  'boundaries that miss a letter, in a declared length': filled('\n--myboundar', head(SIZE)),
  'JSON of a declared length': filled('{"a":[', `${head(SIZE)}Code=A;action=Start;index=0;data=`),
  'lengths far too long': filled(`${head(SIZE - 1000)}x\n`),
  'lengths far too long, no line end before the boundary': filled(`${head(SIZE - 1000)}x`),
  'lengths far too long for an event': filled(`${head(SIZE - 1000)}${line('A', 'Start', 0, { a: 1 })}`),
  'lengths too long by the next boundary': filled(part(line('A', 'Start', 0, { a: 1 }), { length: 80 })),
  'lengths too short': filled(part(line('A', 'Start', 0, { a: 1 }), { length: 30 })),
  'sound parts without line end after wrong ones': Buffer.concat([part('x', { length: 20 }), filled(part('Heartbeat', { after: '' }))]),
  'an event of brackets': filled('{}', 'Code=A;action=Start;index=0;data={'),
  'an event of quotes': filled('"', 'Code=A;action=Start;index=0;data={'),
  'an event of blanks': filled(' ', 'Code='),
  'an event of fields': filled(';', 'Code=A;action=Start'),
  'an event of line ends': filled(' \n', 'Code=A;action=Start;index=0;data={'),
  'an event of dashes': filled('\n--myboundar', 'Code=A;action=Start;index=0;data={'),
  'events that balance and are no JSON': filled('Code=A;action=Start;index=0;data={]'),
  'events that balance and are no JSON, in lines': filled('Code=A;action=Start;index=0;data={]\n').subarray(0, SIZE / 4),
};

describe('the work that a stream takes is linear in its bytes', () => {
  it.each(Object.entries(STREAMS))('%s', (_, stream) => {
    // A reader that looks at all it holds with every chunk takes thousands of calls or bytes per byte here.
    for (const limit of [SIZE * 2, 4000]) {
      const whole = measure([stream], limit);
      expect(whole.calls).toBeLessThan(4);
      expect(whole.bytes).toBeLessThan(10);
      const packets = measure(cut(stream.subarray(0, SIZE / 4), [1460]), limit);
      expect(packets.calls).toBeLessThan(4);
      expect(packets.bytes).toBeLessThan(14);
    }
    const tiny = measure(cut(stream.subarray(0, SIZE / 32), [3, 1, 2]), SIZE * 2);
    expect(tiny.calls).toBeLessThan(8);
    expect(tiny.bytes).toBeLessThan(24);
  });
});

describe('the room for unfinished parts', () => {
  const limits = { text: 1 << 16, binary: SIZE * 2 };
  it('is made once and used again', () => {
    const reader = new MultipartReader('myboundary', eventFormat(decoder('auto')), { item: () => undefined }, limits);
    const made = vi.spyOn(Buffer, 'allocUnsafeSlow');
    for (const chunk of cut(STREAMS['sound parts']!, [1460])) reader.push(chunk);
    expect(made.mock.calls.length).toBeLessThan(5);
    made.mockRestore();
  });

  it('shrinks again after a large part, although there is always something unfinished', () => {
    const image = part(Buffer.alloc(SIZE, 'x'), { type: 'image/jpeg' });
    const event = part(line('A', 'Start', 0, { a: ['b', 'c'] }));
    const half = event.length >> 1;
    const events = Array<Buffer>(20_000).fill(Buffer.concat([event.subarray(half), event.subarray(0, half)]));
    const reader = new MultipartReader('myboundary', eventFormat(decoder('auto')), { item: () => undefined }, limits);
    const made = vi.spyOn(Buffer, 'allocUnsafeSlow');
    for (const chunk of [...cut(Buffer.concat([image, event.subarray(0, half)]), [1460]), ...events]) reader.push(chunk);
    const sizes = made.mock.calls.map(([size]) => size);
    made.mockRestore();
    expect(Math.max(...sizes)).toBeGreaterThan(SIZE);
    expect(sizes.at(-1)).toBeLessThan(10_000);
  });
});

describe('a question about a line looks at few bytes of it', () => {
  /** Bytes that count how often they are read. */
  function counted(bytes: Buffer): { bytes: Buffer; reads: () => number } {
    let reads = 0;
    const proxy = new Proxy(bytes, {
      get(target, key) {
        reads++;
        return Reflect.get(target, key) as unknown;
      },
    });
    return { bytes: proxy, reads: () => reads };
  }
  const names = [Buffer.from('myboundary'), Buffer.from('other')];

  it.each(['-', ' ', 'x', '--myboundary-', '--myboundary ', '-- ', 'X ', 'HTTP/', 'heartbea', 'Code ', 'Code', '--myboundary\r'])(
    '%j without end',
    (unit) => {
      for (const before of ['', '--', '--myboundary', '--myboundary--', 'X', 'Content-', 'Code']) {
        const { bytes, reads } = counted(filled(unit, before));
        lines.boundaryLine(bytes, 0, SIZE, names);
        lines.headerLine(bytes, 0, SIZE);
        eventFormat(decoder('auto')).opens(bytes, 0, SIZE);
        expect(reads()).toBeLessThan(600);
      }
    },
  );
});
