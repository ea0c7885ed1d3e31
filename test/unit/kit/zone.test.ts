import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertZone, formatLocal, instantToLocal, localToInstant } from '../../../nodes/kit/zone';

const ZONES = ['America/Bogota', 'Europe/Madrid', 'America/Santiago', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'America/St_Johns', 'UTC'];
const iso = (ms: number): string => new Date(ms).toISOString();

describe('local to instant', () => {
  test.each([
    ['America/Bogota', '2026-01-20', '16:00', '2026-01-20T21:00:00.000Z'],
    ['America/Bogota', '2026-01-20', '16:00:07', '2026-01-20T21:00:07.000Z'],
    ['-05:00', '2026-01-20', '16:00', '2026-01-20T21:00:00.000Z'],
    ['Europe/Madrid', '2026-07-01', '00:00', '2026-06-30T22:00:00.000Z'],
    // Skipped: forward by the hour that is skipped.
    ['Europe/Madrid', '2026-03-29', '02:30', '2026-03-29T01:30:00.000Z'],
    // In Chile the clock skips midnight itself.
    ['America/Santiago', '2026-09-06', '00:00', '2026-09-06T04:00:00.000Z'],
    ['Australia/Lord_Howe', '2026-10-04', '02:10', '2026-10-03T15:40:00.000Z'],
    // Twice: the first.
    ['Europe/Madrid', '2026-10-25', '02:30', '2026-10-25T00:30:00.000Z'],
    ['America/Santiago', '2026-04-04', '23:30', '2026-04-05T02:30:00.000Z'],
  ])('%s %s %s is %s', (zone, date, time, instant) => expect(iso(localToInstant(zone, date, time))).toBe(instant));

  test('the other readings of a time that is skipped or occurs twice', () => {
    const madrid = (date: string, how: 'earlier' | 'later') => iso(localToInstant('Europe/Madrid', date, '02:30', how));
    expect(madrid('2026-03-29', 'earlier')).toBe('2026-03-29T00:30:00.000Z');
    expect(madrid('2026-03-29', 'later')).toBe('2026-03-29T01:30:00.000Z');
    expect(madrid('2026-10-25', 'earlier')).toBe('2026-10-25T00:30:00.000Z');
    expect(madrid('2026-10-25', 'later')).toBe('2026-10-25T01:30:00.000Z');
    for (const date of ['2026-03-29', '2026-10-25']) {
      expect(() => localToInstant('Europe/Madrid', date, '02:30', 'reject')).toThrow(expect.objectContaining({ code: 'BAD_LOCAL_TIME' }));
    }
  });

  test.each([
    ['2026-02-29', '10:00'],
    ['2026-13-01', '10:00'],
    ['26-01-01', '10:00'],
    ['2026-01-01[UTC]', '10:00'],
    ['2026-01-01', '24:00'],
    ['2026-01-01', '10:60'],
    ['2026-01-01', '10:00:60'],
    ['2026-01-01', '10:00Z'],
    ['2026-01-01', '9:00'],
    ['', ''],
  ])('%j %j is refused', (date, time) => {
    expect(() => localToInstant('UTC', date, time)).toThrow(expect.objectContaining({ code: 'BAD_LOCAL_TIME' }));
  });
});

test.each(['', 'Mars/Olympus', 'Bogota', '2026-01-01T00:00+01:00[Europe/Madrid]', '__proto__'])('%j is no zone', (zone) => {
  const refusal = expect.objectContaining({ code: 'CONFIG_INVALID', field: 'timeZone' }) as Error;
  expect(() => assertZone(zone)).toThrow(refusal);
  expect(() => localToInstant(zone, '2026-01-01', '10:00')).toThrow(refusal);
  expect(() => formatLocal(zone, 0)).toThrow(refusal);
  expect(() => assertZone(zone, 'zone')).toThrow(expect.objectContaining({ field: 'zone' }));
});

describe('instant to local', () => {
  test('with date, time, offset, and as one text', () => {
    const at = Date.UTC(2026, 0, 21, 4, 59, 59, 7);
    expect(instantToLocal('America/Bogota', at)).toEqual({ date: '2026-01-20', time: '23:59:59.007', offset: -5 * 3_600_000 });
    expect(formatLocal('America/Bogota', at)).toBe('2026-01-20 23:59:59.007');
  });

  test('is right on both sides of a clock change, to the millisecond', () => {
    const change = Date.UTC(2026, 2, 29, 1);
    expect(formatLocal('Europe/Madrid', change - 1)).toBe('2026-03-29 01:59:59.999');
    expect(formatLocal('Europe/Madrid', change)).toBe('2026-03-29 03:00:00.000');
  });

  test('is right where a zone changed within a quarter hour, whichever side is asked first', () => {
    const change = Date.UTC(1972, 0, 7, 0, 44, 30);
    expect(formatLocal('Africa/Monrovia', change - 1)).toBe('1972-01-06 23:59:59.999');
    expect(formatLocal('Africa/Monrovia', change)).toBe('1972-01-07 00:44:30.000');
    expect(formatLocal('Africa/Monrovia', change - 1)).toBe('1972-01-06 23:59:59.999');
  });

  test('agrees with Intl', () => {
    const formats = new Map(
      ZONES.map((timeZone) => [timeZone, new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' })]),
    );
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), fc.integer({ min: Date.UTC(1975), max: Date.UTC(2035) }), (zone, at) => {
        expect(formatLocal(zone, at).slice(0, 19)).toBe(formats.get(zone)!.format(at));
      }),
      { numRuns: 500 },
    );
  });

  test('and back is the same instant, or the other one with the same local time', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), fc.integer({ min: 0, max: Date.UTC(2035) / 1000 }), (zone, second) => {
        const { date, time } = instantToLocal(zone, second * 1000);
        const both = (['earlier', 'later'] as const).map((how) => localToInstant(zone, date, time.slice(0, 8), how));
        expect(both).toContain(second * 1000);
      }),
      { numRuns: 500 },
    );
  });
});
