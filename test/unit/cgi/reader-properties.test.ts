import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Charset } from '../../../nodes/cgi/charset';
import type { EventLine } from '../../../nodes/cgi/event-line';
import { anyStream, chunkSizes, corrupt, damage, RUNS, soundPart, type ComposedPart } from './support/arbitrary-streams';
import { byteByByte, cut, read } from './support/stream-reading';

const limits = fc.constantFrom(
  { text: 400, binary: 400 },
  { text: 400, binary: 900 },
  { text: 1 << 20, binary: 1 << 23 },
);
const boundary = fc.constantFrom(undefined, 'myboundary', 'my', 'other');
const charset = fc.constantFrom<Charset>('auto', 'auto', 'gb18030', 'big5', 'utf-8');

const seen = ({ code, action, index, data }: EventLine): unknown => ({ code, action, index, data });
const sent = (parts: readonly ComposedPart[]): unknown[] =>
  parts.flatMap(({ event }) =>
    event ? [{ code: event.code, action: event.action, index: event.index, data: event.data }] : [],
  );
const join = (parts: readonly ComposedPart[]): Buffer => Buffer.concat(parts.map(({ bytes }) => bytes));

describe('whatever the stream', () => {
  it('what is read does not depend on how the bytes were cut', () => {
    fc.assert(
      fc.property(anyStream, chunkSizes, limits, boundary, charset, fc.boolean(), (bytes, sizes, limit, declared, words, end) => {
        const options = { limits: limit, boundary: declared, charset: words, end };
        const whole = read([bytes], options).reports;
        expect(read(byteByByte(bytes), options).reports).toEqual(whole);
        expect(read(cut(bytes, sizes), options).reports).toEqual(whole);
      }),
      { numRuns: RUNS },
    );
  });

  it('no more is held back than the larger limit and one chunk', () => {
    fc.assert(
      fc.property(anyStream, chunkSizes, fc.constantFrom(300, 500), (bytes, sizes, limit) => {
        const { mostHeld } = read(cut(Buffer.concat([bytes, bytes, bytes]), sizes), { limits: { text: limit, binary: limit } });
        expect(mostHeld).toBeLessThanOrEqual(limit + Math.max(...sizes));
      }),
      { numRuns: RUNS },
    );
  });

  it('sound parts are all read, in any framing, between any of the others', () => {
    fc.assert(
      fc.property(fc.array(soundPart, { maxLength: 8 }), chunkSizes, (parts, sizes) => {
        const reading = read(cut(join(parts), sizes));
        expect(reading.events.map(seen)).toEqual(sent(parts));
        expect(reading).toMatchObject({ malformed: 0, tooLarge: 0 });
      }),
      { numRuns: RUNS },
    );
  });

  it('an event is delivered with the byte that completes it', () => {
    fc.assert(
      fc.property(fc.array(soundPart, { maxLength: 6 }), (parts) => {
        const due: number[] = [];
        let start = 0;
        for (const { bytes, event, due: offset } of parts) {
          if (event) due.push(start + offset);
          start += bytes.length;
        }
        expect(read(byteByByte(join(parts))).deliveredAt).toEqual(due);
      }),
      { numRuns: RUNS },
    );
  });

  it('damage to one part ends at the next boundary that is whole', () => {
    const several = fc.array(soundPart, { minLength: 3, maxLength: 7 });
    fc.assert(
      fc.property(several, fc.nat(), damage, fc.boolean(), chunkSizes, (parts, nth, harm, spareEnd, sizes) => {
        const k = nth % (parts.length - 1);
        const victim = parts[k]!.bytes;
        // A boundary needs the line end before it; without it the part after is harmed too.
        const kept = spareEnd ? 1 : 0;
        const damaged = Buffer.concat([
          corrupt(victim.subarray(0, victim.length - kept), harm),
          victim.subarray(victim.length - kept),
        ]);
        const before = parts.slice(0, k);
        const after = parts.slice(spareEnd ? k + 1 : k + 2);
        const stream = Buffer.concat([join(before), damaged, join(parts.slice(k + 1))]);
        const events = read(cut(stream, sizes)).events.map(seen);
        expect(events.slice(0, sent(before).length)).toEqual(sent(before));
        expect(events.slice(events.length - sent(after).length)).toEqual(sent(after));
      }),
      { numRuns: RUNS },
    );
  });
});
