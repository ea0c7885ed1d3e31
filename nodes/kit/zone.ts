/**
 * Time zones, for the whole pack. Local time is what a wall clock in the zone shows; what a clock change repeats or skips is
 * settled by Temporal's rules (facts/dependencies.md 5).
 */
import { LRUCache } from 'lru-cache';
import { Temporal } from 'temporal-polyfill';
import { CodedError } from './errors';

/**
 * Which instant a local time means that occurs twice, or not at all: `compatible` takes the first of two, and moves one that
 * is skipped forward by what is skipped; `reject` throws.
 */
export type Disambiguation = 'compatible' | 'earlier' | 'later' | 'reject';

export interface LocalTime {
  /** `YYYY-MM-DD` */
  date: string;
  /** `HH:MM:SS.mmm` */
  time: string;
  /** What local time is ahead of UTC, ms. */
  offset: number;
}

const QUARTER_MS = 15 * 60_000;
const MAX_ZONES = 50;
const MAX_QUARTERS = 1000;

/** Offsets by zone as it was named and by quarter hour since 1970; only of zones that exist. */
const offsets = new LRUCache<string, LRUCache<number, number>>({ max: MAX_ZONES });

/**
 * @param zone IANA name such as `America/Bogota`, or a fixed offset such as `-05:00`
 * @throws CodedError CONFIG_INVALID with `field`, where there is no such zone
 */
export function assertZone(zone: string, field = 'timeZone'): void {
  if (offsets.has(zone)) return;
  try {
    exactOffset(zone, 0);
  } catch (error) {
    const text = `${field}: there is no time zone "${zone}"; take a name such as America/Bogota`;
    throw new CodedError('CONFIG_INVALID', text, { field, cause: error });
  }
  offsets.set(zone, new LRUCache({ max: MAX_QUARTERS }));
}

/**
 * @param date `YYYY-MM-DD`; @param time `HH:MM` or `HH:MM:SS`
 * @returns ms since 1970
 * @throws CodedError CONFIG_INVALID, field timeZone: no such zone; BAD_LOCAL_TIME: no such date or time, or with `reject` one
 * that does not occur exactly once
 */
export function localToInstant(zone: string, date: string, time: string, disambiguation: Disambiguation = 'compatible'): number {
  assertZone(zone);
  if (!/^\d{4}-\d\d-\d\d$/.test(date) || !/^\d\d:\d\d(:[0-5]\d)?$/.test(time)) {
    throw new CodedError('BAD_LOCAL_TIME', `"${date}" "${time}" is not a date and time such as 2026-01-20 16:00`);
  }
  try {
    return Temporal.PlainDateTime.from(`${date}T${time}`).toZonedDateTime(zone, { disambiguation }).epochMilliseconds;
  } catch (error) {
    throw new CodedError('BAD_LOCAL_TIME', `${date} ${time} does not exist, or not exactly once, in ${zone}`, { cause: error });
  }
}

/**
 * @param ms since 1970
 * @throws CodedError CONFIG_INVALID, field timeZone: no such zone
 */
export function instantToLocal(zone: string, ms: number): LocalTime {
  const offset = offsetAt(zone, ms);
  const [date = '', time = ''] = new Date(ms + offset).toISOString().slice(0, -1).split('T');
  return { date, time, offset };
}

/** `YYYY-MM-DD HH:MM:SS.mmm`, as databases and people write it. Parameters and errors as {@link instantToLocal}. */
export function formatLocal(zone: string, ms: number): string {
  const { date, time } = instantToLocal(zone, ms);
  return `${date} ${time}`;
}

function offsetAt(zone: string, ms: number): number {
  assertZone(zone);
  const known = offsets.get(zone);
  const quarter = Math.floor(ms / QUARTER_MS);
  const cached = known?.get(quarter);
  if (cached !== undefined) return cached;

  const first = exactOffset(zone, quarter * QUARTER_MS);
  // Zones change on the quarter hour today; before 1972 some did not.
  if (first !== exactOffset(zone, (quarter + 1) * QUARTER_MS - 1)) return exactOffset(zone, ms);
  known?.set(quarter, first);
  return first;
}

/** Unlike Temporal's other ways in, the constructor takes nothing but the name of a zone. */
const exactOffset = (zone: string, ms: number): number =>
  new Temporal.ZonedDateTime(BigInt(Math.floor(ms)) * 1_000_000n, zone).offsetNanoseconds / 1e6;
