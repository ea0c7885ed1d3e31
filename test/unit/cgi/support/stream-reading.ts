import { decoder, type Charset } from '../../../../nodes/cgi/charset';
import { eventFormat, type EventLine } from '../../../../nodes/cgi/event-line';
import { DEFAULT_LIMITS, MultipartReader, type PartHead, type ReaderLimits } from '../../../../nodes/cgi/multipart-reader';

export interface ReadOptions {
  boundary?: string | undefined;
  charset?: Charset;
  limits?: ReaderLimits;
  /** Whether the stream is told to be over after the last chunk; true unless told otherwise. */
  end?: boolean;
}

/** Everything the reader reported, in its order; `event`s and images are what it delivered. */
export type Report =
  { kind: 'event'; event: EventLine } | { kind: 'binary'; body: string } | { kind: 'tooLarge' } | { kind: 'malformed' };

export interface Reading {
  reports: Report[];
  events: EventLine[];
  images: { body: Buffer; head: PartHead }[];
  malformed: number;
  tooLarge: number;
  /** For each event, how many bytes of the stream were in when it was delivered. */
  deliveredAt: number[];
  /** The most bytes that were held back after any chunk. */
  mostHeld: number;
}

export function read(chunks: readonly Buffer[], options: ReadOptions = {}): Reading {
  const reading: Reading = {
    reports: [],
    events: [],
    images: [],
    malformed: 0,
    tooLarge: 0,
    deliveredAt: [],
    mostHeld: 0,
  };
  let fed = 0;
  const format = eventFormat(decoder(options.charset ?? 'auto'), () => {
    reading.malformed++;
    reading.reports.push({ kind: 'malformed' });
  });
  const reader = new MultipartReader<EventLine>(
    options.boundary ?? 'myboundary',
    format,
    {
      item(event) {
        reading.events.push(event);
        reading.deliveredAt.push(fed);
        reading.reports.push({ kind: 'event', event });
      },
      binary(body, head) {
        reading.images.push({ body, head });
        reading.reports.push({ kind: 'binary', body: body.toString('hex') });
      },
      tooLarge() {
        reading.tooLarge++;
        reading.reports.push({ kind: 'tooLarge' });
      },
    },
    options.limits ?? DEFAULT_LIMITS,
  );
  for (const chunk of chunks) {
    fed += chunk.length;
    reader.push(chunk);
    reading.mostHeld = Math.max(reading.mostHeld, reader.held);
  }
  if (options.end ?? true) reader.end();
  return reading;
}

/** Pieces of the given sizes (bytes, at least 1), the list repeated until the end. */
export function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

export const byteByByte = (bytes: Buffer): Buffer[] => cut(bytes, [1]);
